"""``python -P -m commonshub.auth``: the service, or with the name of a group an operator's command."""

import sys

from . import commands
from .app import AuthApp

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in {**commands.GROUPS, **commands.SINGLE}:
        sys.exit(commands.main(sys.argv[1:]))
    AuthApp.launch_instance()
