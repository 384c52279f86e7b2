"""The demo commons: a data dictionary, policies and profiles to start from, and three public data sets to look at.

``python -P -m commonshub.hub.demo --endpoint URL --credentials FILE`` loads the data through the commons' own HTTP
API, as any client would. Where the data come from, and under which terms, is in ``SOURCES.md``.
"""
