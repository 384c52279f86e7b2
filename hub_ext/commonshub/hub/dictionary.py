"""``commonshub dictionary lint`` and ``diff``: they read dictionaries, and need no commons."""

import argparse
import json
from collections.abc import Callable

PLACE = "folder of YAML files, JSON file or URL"

Run = Callable[[argparse.Namespace], int]
Default = Callable[[argparse.Namespace], str]


def add_commands(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser, default: Default
) -> None:
    """Add both to a group of commands.

    Parameters
    ----------
    default
        The place that the commons' configuration names, for an argument that is not given.
    """
    lint = commands.add_parser(
        "lint",
        parents=[common],
        help="say what is wrong with a dictionary, and what could be better",
        description="Say everything that is wrong with a dictionary, or hardly meant, each with its file, line and "
        "path and what to write instead. Ends with status 1 where there are errors: such a dictionary cannot be used.",
        epilog="example: commonshub dictionary lint ./my-dictionary",
    )
    lint.add_argument("place", nargs="?", metavar="PLACE", help=f"{PLACE} (default: that of the configuration)")
    lint.add_argument("--json", action="store_true", help="as JSON")
    lint.add_argument("--strict", action="store_true", help="status 1 for warnings, too")
    lint.add_argument("--quiet", action="store_true", help="only say in one line why it cannot be used")
    lint.set_defaults(run=_with(_lint, default))
    diff = commands.add_parser(
        "diff",
        parents=[common],
        help="say what changes from one dictionary to another",
        description="Say what changes from one dictionary to another: each change is wider (every stored record stays "
        "valid), tighter (some may not) or documentation. No stored record is looked at; `preview` does that.",
        epilog="example: commonshub dictionary diff ./released ./my-dictionary",
    )
    diff.add_argument("old", metavar="OLD", help=PLACE)
    diff.add_argument("place", nargs="?", metavar="NEW", help=f"{PLACE} (default: that of the configuration)")
    diff.add_argument("--json", action="store_true", help="as JSON")
    diff.add_argument("--strict", action="store_true", help="status 1 where a change is tighter")
    diff.set_defaults(run=_with(_diff, default))


def _with(run: Run, default: Default) -> Run:
    def command(options: argparse.Namespace) -> int:
        options.place = options.place or default(options)
        return run(options)

    return command


def _lint(options: argparse.Namespace) -> int:
    from commonshub.core.dictionary import Source, load
    from commonshub.core.dictionary.lint import lint

    if options.quiet:
        load(options.place)
        return 0
    faults = lint(Source(options.place))
    errors = sum(each.severity == "error" for each in faults)
    warnings = len(faults) - errors
    if options.json:
        told = {"errors": errors, "warnings": warnings, "faults": [each.document() for each in faults]}
        print(json.dumps(told, indent=1))
    else:
        for each in faults:
            print(f"{each.severity:<8}{each}")
        print(f"{_count(errors, 'error')}, {_count(warnings, 'warning')}.")
    return 1 if errors or (warnings and options.strict) else 0


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"


def _diff(options: argparse.Namespace) -> int:
    from commonshub.core.dictionary import load
    from commonshub.core.dictionary.difference import difference

    found = difference(load(options.old), load(options.place))
    if options.json:
        print(json.dumps(found.document(), indent=1))
    else:
        for line in found.lines():
            print(line)
        print(", ".join(f"{count or 'no'} {effect}" for effect, count in found.counts.items()) + ".")
    return 1 if options.strict and found.tighter else 0
