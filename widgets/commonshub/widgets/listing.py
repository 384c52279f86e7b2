"""The files that a browser shows: filtered, paged, chosen. Nothing here knows of widgets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from commonshub.client.display import size_text

_SEARCHED = ("file_name", "submitter_id", "type", "data_type", "data_format", "data_category", "project_id")
_GUID_CHARS = 8  # shorter words occur in identifiers by chance

Row = Mapping[str, Any]


@dataclass
class Listing:
    """Files of a project and what the user has done with them.

    Attributes
    ----------
    rows
        All files, each with at least ``object_id``.
    words
        The filter; a file is shown when each word occurs in one of its columns.
    page
        Number of the page shown, from 0.
    chosen
        GUIDs of the chosen files, in the order of choosing; they stay chosen while other pages are shown.
    """

    rows: Sequence[Row] = ()
    page_size: int = 10
    words: str = ""
    page: int = 0
    chosen: dict[str, Row] = field(default_factory=dict)

    def replace(self, rows: Iterable[Row]) -> None:
        """Show other files, with nothing chosen."""
        self.rows = list(rows)
        self.chosen = {}
        self.page = 0

    def filter(self, words: str) -> None:
        """Show only files that match, from the first page."""
        self.words = words
        self.page = 0

    @property
    def matching(self) -> list[Row]:
        """The files that the filter lets through."""
        words = self.words.casefold().split()
        return [row for row in self.rows if _matches(row, words)]

    @property
    def pages(self) -> int:
        """Number of pages, at least one."""
        return max(1, -(-len(self.matching) // self.page_size))

    @property
    def shown(self) -> list[Row]:
        """The files of the current page."""
        start = self.page * self.page_size
        return self.matching[start : start + self.page_size]

    def turn(self, page: int) -> None:
        """Go to a page; beyond the ends is the last or first."""
        self.page = min(max(0, page), self.pages - 1)

    def choose(self, guids: Iterable[str]) -> None:
        """Add files to the choice.

        Raises
        ------
        KeyError
            There is no such file here.
        """
        known = {guid_of(row): row for row in self.rows}
        for guid in guids:
            self.chosen[guid] = known[guid]

    def toggle(self, row: Row, chosen: bool) -> None:
        """Choose one file, or drop it from the choice."""
        if chosen:
            self.chosen[guid_of(row)] = row
        else:
            self.chosen.pop(guid_of(row), None)

    @property
    def chosen_bytes(self) -> int:
        """Size of the chosen files together, in bytes, as far as it is on record."""
        return sum(int(row.get("file_size") or 0) for row in self.chosen.values())


def guid_of(row: Row) -> str:
    """The identifier of a file."""
    return str(row["object_id"])


def label(row: Row) -> str:
    """One line that tells a file from others."""
    kind = " ".join(str(row[name]) for name in ("data_format", "data_type") if row.get(name)) or str(
        row.get("type") or ""
    )
    parts = [
        str(row.get("file_name") or row.get("submitter_id") or guid_of(row)),
        size_text(row.get("file_size")),
        kind,
    ]
    return "   ·   ".join(part for part in parts if part)


def code(origin: str, files: Iterable[Row], folder: str) -> str:
    """A cell that downloads the files without the browser.

    Names come from whoever described the files, so they go through ``repr``: nothing in them can leave its comment.
    """
    lines = [f"        {guid_of(row)!r},  # {str(row.get('file_name') or '')!r}" for row in files]
    return "\n".join(
        [
            "from commonshub.client import Commons",
            "",
            f"commons = Commons({origin!r})",
            "files = commons.download(",
            "    [",
            *lines,
            "    ],",
            f"    {folder!r},",
            ")",
        ]
    )


def _matches(row: Row, words: Sequence[str]) -> bool:
    text = " ".join(str(row[name]) for name in _SEARCHED if row.get(name)).casefold()
    guid = guid_of(row).casefold()
    return all(word in text or (len(word) >= _GUID_CHARS and word in guid) for word in words)
