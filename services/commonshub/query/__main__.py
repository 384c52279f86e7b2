"""``python -P -m commonshub.query``: the service, or with the name of a command an operator's."""

import sys


def main() -> None:
    """Start what the command line asks for."""
    if sys.argv[1:2] and not sys.argv[1].startswith("-"):
        from . import commands

        sys.exit(commands.main(sys.argv[1:]))
    from .app import QueryApp

    QueryApp.launch_instance()


if __name__ == "__main__":
    main()
