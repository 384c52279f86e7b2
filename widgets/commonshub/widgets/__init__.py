"""Notebook widgets: browse a commons and fetch its data."""
