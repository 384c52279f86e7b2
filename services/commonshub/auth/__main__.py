"""``python -P -m commonshub.auth``: the service, or with the name of a group an operator's command."""

import gc
import sys


def main(argv: list[str]) -> int:
    """Run what the arguments ask for; the exit status."""
    # Looking for garbage among the modules, then and ever after, costs a short command a tenth of its time.
    gc.disable()
    from . import commands
    from .app import AuthApp

    gc.freeze()
    gc.enable()
    if argv[:1] and argv[0] in {**commands.GROUPS, **commands.SINGLE}:
        return commands.main(argv)
    AuthApp.launch_instance(argv)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
