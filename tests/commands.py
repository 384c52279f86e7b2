"""Operators' commands, run in the tests' own process: starting another takes far longer than what most of them do."""

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess


def run_here(main: Callable[[Sequence[str]], int], words: Sequence[str]) -> CompletedProcess[str]:
    """Run a command line; its exit status and what it wrote."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = main(words)
        except SystemExit as end:
            # How argparse ends a command that it does not understand.
            status = int(end.code or 0)
    return CompletedProcess(words, status, out.getvalue(), err.getvalue())
