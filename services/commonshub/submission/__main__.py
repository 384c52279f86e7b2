"""``python -P -m commonshub.submission``."""

from .app import SubmissionApp

SubmissionApp.launch_instance()
