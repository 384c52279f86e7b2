"""Measure the commons on its real parts: ``scripts/bench [GROUP…] [--json FILE]``."""

import argparse
import importlib
import sys
from pathlib import Path

GROUPS = ("up", "auth", "index", "blobs", "submission", "query", "explore")


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP", help=f"what to measure: {', '.join(GROUPS)} (default: all)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well, one JSON line each")
    arguments = parser.parse_args()
    unknown = set(arguments.groups) - set(GROUPS)
    if unknown:
        parser.error(f"unknown group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    lines = []
    missed = False
    for group in arguments.groups or GROUPS:
        print(f"# {group} …", file=sys.stderr, flush=True)
        for figure in importlib.import_module(group).measure():
            lines.append(figure.line())
            missed = missed or figure.ok is False
            print(lines[-1], flush=True)
    if arguments.json:
        arguments.json.write_text("".join(f"{line}\n" for line in lines))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
