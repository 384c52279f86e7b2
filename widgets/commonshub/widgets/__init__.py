"""Notebook widgets: browse a commons and fetch its data.

>>> from commonshub.widgets import FileBrowser
>>> FileBrowser()
"""

from .browser import FileBrowser

__all__ = ["FileBrowser"]
