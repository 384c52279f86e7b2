"""Workflow runs (GA4GH WES)."""
