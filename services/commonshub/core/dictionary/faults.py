"""What is wrong with a dictionary, told so that a person can act on it."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..errors import ValidationFailed

Severity = Literal["error", "warning"]
WHOLE = "(dictionary)"
"""Stands for the file where a fault is none of a single file's."""
MAX_FAULTS = 1000
"""So many are looked for; somebody who has a thousand mends them first."""
MAX_MESSAGE_CHARS = 1000
_TOLD = 5


@dataclass(frozen=True)
class Fault:
    """One thing to change.

    Attributes
    ----------
    file
        Its file's name, or ``(dictionary)``.
    line
        The line in it, from 1; None in a dictionary that is one JSON file.
    path
        JSON pointer of the place in the file.
    message
        What is wrong, as a sentence.
    fix
        What to write instead, as a sentence.
    severity
        An ``error`` keeps the dictionary from being used; a ``warning`` does not.
    """

    file: str
    line: int | None
    path: str
    message: str
    fix: str
    severity: Severity = "error"

    def document(self) -> dict[str, Any]:
        """As JSON, without a line where there is none."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        line = "" if self.line is None else f":{self.line}"
        return " ".join(each for each in (f"{self.file}{line} {self.path}:", self.message, self.fix) if each)


def ordered(faults: Iterable[Fault]) -> list[Fault]:
    """Each fault once, by file and place."""
    return sorted(dict.fromkeys(faults), key=lambda each: (each.file, each.line or 0, each.path, each.message))


def refuse(place: str, faults: Sequence[Fault]) -> None:
    """Raise when there are faults.

    Raises
    ------
    ValidationFailed
        Names the first few in its message and all in its details.
    """
    if faults:
        rest = f" (and {len(faults) - _TOLD} more)" if len(faults) > _TOLD else ""
        told = " ".join(map(str, faults[:_TOLD]))
        raise ValidationFailed(
            f"The dictionary at {place} has faults: {told}{rest}", [each.document() for each in faults]
        )
