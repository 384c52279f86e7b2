"""Logs as JSON lines on standard output: one object a line, whoever wrote it."""

import logging
import sys

import orjson


class JsonLines(logging.Formatter):
    """Renders a log record as one line of JSON; a dictionary as message gives its own keys."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line = {"time": round(record.created, 3), "level": record.levelname.lower(), "logger": record.name}
        if isinstance(record.msg, dict):
            line |= record.msg
        else:
            line["message"] = record.getMessage()
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def to_stdout(level: int | str) -> None:
    """Send every log of this process to standard output, libraries' chatter below WARNING left out."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("commonshub").setLevel(level)
