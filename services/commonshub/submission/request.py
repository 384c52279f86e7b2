"""One request to write records or to delete some."""

from dataclasses import dataclass, replace

from .body import Body
from .documents import CONTENT_TYPES, Read, Reading, Records


@dataclass(frozen=True)
class Submission:
    """One request to write records.

    Parameters
    ----------
    reading
        The documents, or the ids of what is to be deleted.
    role
        ``create`` (records must be new) or ``update`` (existing records are merged).
    number
        The transaction's number, where it has one already.
    fields
        Properties that are to be deleted, where the records themselves are not.
    reader
        Whether the submitter may read the project; others are not told of what is in it.
    """

    program: str
    code: str
    reading: Reading
    role: str
    dry_run: bool
    username: str | None
    body: Body
    format: str = "json"
    name: str | None = None
    number: int | None = None
    reader: bool = False
    fields: tuple[str, ...] = ()

    def read_by(self, read: Read) -> "Submission":
        """The same, read once more from its body: by another dictionary, a cell may be another value.

        Documents in JSON, and ids, are the same by every dictionary.
        """
        if isinstance(self.reading, Records):
            return self
        return replace(self, reading=read(self.body, CONTENT_TYPES[self.format]))
