"""What is wrong with submitted rows, as a notebook shows it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from .display import table

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("row", "submitter_id", "column", "value", "message", "suggestion")
_TITLES = ("row", "record", "column", "value", "what is wrong", "what to do")
MAX_SHOWN_CHARS = 200
MAX_ALIKE = 3
"""So many rows with the same fault have a line each."""


class Faults(Sequence[Mapping[str, Any]]):
    """Faults in the order of the rows; none where everything is right.

    Each has ``row`` (the label in the index of what was submitted), ``submitter_id``, ``column``, ``value``,
    ``message``, ``rule``, ``suggestion`` and ``nearest``: what was likely meant, best first.
    """

    def __init__(self, faults: Sequence[Mapping[str, Any]]) -> None:
        self._faults = list(faults)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> "Faults": ...

    def __getitem__(self, index: int | slice) -> "Mapping[str, Any] | Faults":
        return Faults(self._faults[index]) if isinstance(index, slice) else self._faults[index]

    def __len__(self) -> int:
        return len(self._faults)

    def __repr__(self) -> str:
        return f"<{self._caption()}>"

    @property
    def frame(self) -> "pd.DataFrame":
        """The faults as a table, a line each."""
        import pandas as pd

        return pd.DataFrame(self._faults, columns=list(_COLUMNS))

    def _caption(self) -> str:
        rows = len({str(each["row"]) for each in self._faults})
        return f"{len(self)} faults in {rows} rows" if self._faults else "No faults"

    def _repr_html_(self) -> str:
        if not self._faults:
            return "<p>No faults: everything can be submitted.</p>"
        return table(_TITLES, [_line(alike) for alike in self._alike()], self._caption())

    def _alike(self) -> list[list[Mapping[str, Any]]]:
        """The same fault of many rows, as a wrong name of a column makes it, is one line."""
        groups: dict[Any, list[Mapping[str, Any]]] = {}
        for number, each in enumerate(self._faults):
            key = (each.get("column"), each.get("message"), each.get("suggestion"))
            groups.setdefault(number if each.get("row") is None else key, []).append(each)
        return [
            part
            for alike in groups.values()
            for part in ([alike] if len(alike) > MAX_ALIKE else [[each] for each in alike])
        ]


def _line(alike: Sequence[Mapping[str, Any]]) -> list[Any]:
    first = {name: _shown(alike[0].get(name)) for name in _COLUMNS}
    if len(alike) > 1:
        first["row"] = f"{first['row']} and {len(alike) - 1} more"
        first["submitter_id"] = ""
    return list(first.values())


def _shown(value: Any) -> Any:
    text = "" if value is None else str(value)
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…"
