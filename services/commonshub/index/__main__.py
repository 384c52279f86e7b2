"""``python -m commonshub.index``."""

from .app import IndexApp

if __name__ == "__main__":
    IndexApp.launch_instance()
