"""``python -m commonshub.explore``: the service; ``… etl …``: operator commands."""

import sys


def main() -> None:
    """Start what the command line asks for."""
    if sys.argv[1:2] == ["etl"]:
        from .command import EtlApp

        EtlApp.launch_instance(argv=sys.argv[2:])
    else:
        from .app import ExploreApp

        ExploreApp.launch_instance()


if __name__ == "__main__":
    main()
