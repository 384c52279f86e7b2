"""``python -m commonshub.query`` starts the service."""

from .app import QueryApp

if __name__ == "__main__":
    QueryApp.launch_instance()
