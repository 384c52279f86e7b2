"""A long command says what it is doing."""

import io

from tests.waiting import eventually

from commonshub.auth.commands.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def wait_for(text: str, stream: io.StringIO) -> None:
    eventually(lambda: text in stream.getvalue(), 10)


def test_what_is_done_is_told_line_by_line() -> None:
    stream = io.StringIO()
    with Progress(stream, 0.0, 0.01) as progress:
        progress("reading", 1, 4)
        wait_for("reading: 25 %\n", stream)
        progress("writing", 3, 4)
        wait_for("writing: 75 %\n", stream)
    lines = stream.getvalue().splitlines()
    assert list(dict.fromkeys(lines)) == ["reading: 25 %", "writing: 75 %"]


def test_a_terminal_has_one_line_that_changes() -> None:
    stream = Terminal()
    with Progress(stream, 0.0, 0.01) as progress:
        progress("reading", 0, 0)
        wait_for("reading: 0 %\r", stream)
    assert stream.getvalue().count("\n") == 1


def test_what_is_soon_done_says_nothing() -> None:
    stream = io.StringIO()
    with Progress(stream, 3600) as progress:
        progress("reading", 1, 2)
    assert stream.getvalue() == ""
