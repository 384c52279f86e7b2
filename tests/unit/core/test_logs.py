"""Logs are JSON lines."""

import json
import logging
import sys

from commonshub.core.logs import JsonLines


def line(message: object, *arguments: object, **fields: object) -> dict[str, object]:
    record = logging.LogRecord("commonshub.index", logging.INFO, "", 0, message, arguments, None)
    record.__dict__.update(fields)
    text = JsonLines().format(record)
    assert "\n" not in text
    found: dict[str, object] = json.loads(text)
    return found


def test_a_message_is_one_line_with_level_and_logger() -> None:
    seen = line("read %d\nbytes", 7)
    assert (seen["message"], seen["level"], seen["logger"]) == ("read 7\nbytes", "info", "commonshub.index")


def test_a_dictionary_gives_its_own_keys() -> None:
    assert line({"path": "/index", "status": 200})["status"] == 200


def test_a_traceback_stays_in_its_line() -> None:
    try:
        raise ValueError("bad")
    except ValueError:
        seen = line("failed", exc_info=sys.exc_info())
    assert "ValueError: bad" in str(seen["traceback"])
