"""Workbooks (``.xlsx``) that are written: exports and forms to fill, as :mod:`.workbook` reads them.

A text is written as a text, whatever it looks like: nothing that somebody has submitted becomes a formula in the
spreadsheet of somebody else. What a cell cannot hold as it is, is refused or, where that is a number, written as text.
"""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO, NoReturn

from ..core.cells import cell
from ..core.dictionary import Dictionary, NodeType
from ..core.errors import BadRequest, TooLarge
from .export import Row, Writer, marked_columns
from .tables import REMARK
from .workbook import MAX_SHEET_NAME_CHARS

MAX_ROWS = 1_048_576
"""As many has a sheet in Excel, the header being one."""
MAX_TEXT_CHARS = 32_767
"""As many has a cell."""
_VALUES = f"{REMARK}values"
# What XML has no way to write.
_UNFIT = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LARGEST_NUMBER = 2**53
_WIDTH_CHARS = (12, 40)


class Unfit(Exception):
    """A value that no cell can hold; its text says why."""


def sheet_name(node: NodeType, nodes: Mapping[str, NodeType]) -> str:
    """The name of a type's sheet, by which it is known again.

    Raises
    ------
    BadRequest
        What is left of a long name is that of another type, too.
    """
    name = node.id[:MAX_SHEET_NAME_CHARS]
    if len([each for each in nodes if each.startswith(name)]) > 1 and name != node.id:
        raise BadRequest(f"A sheet's name has {MAX_SHEET_NAME_CHARS} characters, too few for {node.id}; choose tsv.")
    return name


def value(given: Any) -> Any:
    """What stands in a cell for a value.

    Raises
    ------
    Unfit
        There is nothing that could.
    """
    if given is None or isinstance(given, bool):
        return given
    if isinstance(given, int):
        return given if abs(given) < _LARGEST_NUMBER else str(given)
    if isinstance(given, float):
        # Spreadsheets keep fewer digits than there may be.
        return given if float(f"{given:.15g}") == given else repr(given)
    text = cell(given).replace("\r\n", "\n").replace("\r", "\n")
    if _UNFIT.search(text):
        raise Unfit("has characters that no workbook can hold")
    if len(text) > MAX_TEXT_CHARS:
        raise Unfit(f"has {len(text)} characters; a cell holds {MAX_TEXT_CHARS}")
    return text or None


class Workbook:
    """An export as a workbook, a sheet for each node type, written row by row to files of its own."""

    def __init__(self, dictionary: Dictionary, without_id: bool) -> None:
        import openpyxl

        self._dictionary = dictionary
        self._without_id = without_id
        self._book = openpyxl.Workbook(write_only=True)

    def add(self, node: NodeType, pages: Iterable[Sequence[Row]]) -> None:
        """Write a sheet.

        Raises
        ------
        BadRequest
            A value fits into no cell.
        TooLarge
            There are more records than a sheet has rows.
        """
        sheet = self._book.create_sheet(sheet_name(node, self._dictionary.nodes))
        writer = Writer(self._dictionary, node, "xlsx", self._without_id)
        sheet.append(writer.header)
        count = 1
        for rows in pages:
            count += len(rows)
            if count > MAX_ROWS:
                raise TooLarge(f"There are more records of {node.id} than the {MAX_ROWS} rows of a sheet; choose tsv.")
            for row in rows:
                sheet.append(_cells(sheet, writer, row))

    def save(self, file: BinaryIO) -> None:
        """Write the workbook."""
        self._book.save(file)


def _cells(sheet: Any, writer: Writer, row: Row) -> list[Any]:
    try:
        values = writer.cells(row, value)
    except Unfit as error:
        _refuse(writer, row, error)
    return [_plain(sheet, each) if isinstance(each, str) and each[0] in "=#" else each for each in values]


def _plain(sheet: Any, text: str) -> Any:
    """A cell with a text that the library would take for a formula or an error."""
    from openpyxl.cell import WriteOnlyCell

    made = WriteOnlyCell(sheet, text)
    made.data_type = "s"
    return made


def _refuse(writer: Writer, row: Row, error: Unfit) -> NoReturn:
    def fits(given: Any) -> bool:
        try:
            value(given)
        except Unfit:
            return False
        return True

    name = next((name for name, each in row.properties.items() if not fits(each)), "a link")
    called = row.properties.get("submitter_id") or row.id
    raise BadRequest(f"{name} of {writer.node.id} {str(called)[:80]!r} {error}; choose tsv.") from error


# -- forms -------------------------------------------------------------------------


def form(dictionary: Dictionary, nodes: Iterable[NodeType]) -> bytes:
    """A workbook to fill: a sheet for each type, what is required marked, all explained, and lists to choose from."""
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    choices = book.create_sheet(_VALUES)
    choices.sheet_state = "hidden"
    lists: dict[tuple[str, ...], str] = {}
    for node in nodes:
        sheet = book.create_sheet(sheet_name(node, dictionary.nodes))
        sheet.freeze_panes = "A2"
        for number, name in enumerate(_form_columns(dictionary, node), 1):
            _column(sheet, node, number, name)
            allowed = _allowed(node, name)
            if allowed:
                if allowed not in lists:
                    lists[allowed] = _list(choices, len(lists) + 1, allowed)
                _offer(sheet, number, lists[allowed])
    book.move_sheet(choices, len(book.sheetnames))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _form_columns(dictionary: Dictionary, node: NodeType) -> list[str]:
    # A sheet is named after its type.
    return [name for name in marked_columns(dictionary, node) if name.lstrip("*") != "type"]


def _column(sheet: Any, node: NodeType, number: int, name: str) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    head = sheet.cell(1, number, name)
    head.font = Font(bold=name.startswith("*"))
    low, high = _WIDTH_CHARS
    sheet.column_dimensions[get_column_letter(number)].width = min(max(low, len(name) + 2), high)
    if said := _described(node, name):
        head.comment = Comment(said, "commons", width=320, height=140)


def _described(node: NodeType, name: str) -> str:
    first, _, key = name.lstrip("*").partition(".")
    link, known = node.links_by_name.get(first), node.properties.get(first)
    parts = ["Required." if name.startswith("*") else ""]
    if link:
        parts.append(f"The {key} of a {link.target}" + ("." if link.to_one else "; several are parted by commas."))
    elif known:
        parts += [known.description, f"({known.kind})" if known.kind != "string" and not known.enum else ""]
    return _UNFIT.sub("", " ".join(part for part in parts if part))[:MAX_TEXT_CHARS]


def _allowed(node: NodeType, name: str) -> tuple[str, ...]:
    known = node.properties.get(name.lstrip("*"))
    # A cell of a list may hold several.
    if known is None or known.kind == "array":
        return ()
    return known.enum or (("true", "false") if known.kind == "boolean" else ())


def _list(choices: Any, number: int, allowed: Sequence[str]) -> str:
    """Write a list, and return where it is."""
    from openpyxl.utils import get_column_letter

    for row, text in enumerate(allowed, 1):
        choices.cell(row, number, text).data_type = "s"
    letter = get_column_letter(number)
    return f"'{_VALUES}'!${letter}$1:${letter}${len(allowed)}"


def _offer(sheet: Any, number: int, place: str) -> None:
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    letter = get_column_letter(number)
    chosen = DataValidation("list", formula1=place, allow_blank=True, showErrorMessage=True)
    chosen.add(f"{letter}2:{letter}{MAX_ROWS}")
    sheet.add_data_validation(chosen)
