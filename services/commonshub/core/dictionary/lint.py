"""Everything that there is to say of a dictionary, before it is used."""

from .cautions import cautions
from .checks import check
from .faults import Fault, ordered
from .source import Source


def lint(files: Source) -> list[Fault]:
    """The faults and the warnings of a dictionary, by file and line.

    Raises
    ------
    ValidationFailed
        What is there is no JSON, or no object.
    """
    checked = check(files)
    found = ordered(checked.faults)
    # Where a file is broken, or a reference, half of what could be said would only follow from that.
    return ordered([*found, *cautions(files, checked)]) if checked.readable else found
