"""The Python client of a commons."""
