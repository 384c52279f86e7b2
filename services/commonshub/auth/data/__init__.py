"""Temporary access to data: downloads, uploads, deletions."""
