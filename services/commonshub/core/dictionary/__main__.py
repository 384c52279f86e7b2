"""``python -P -m commonshub.core.dictionary SOURCE``: say whether a dictionary can be used."""

import sys

from ..errors import CommonsError
from . import load


def main(source: str) -> int:
    """Check one dictionary; 0 when it is sound, 1 with its faults on standard error."""
    try:
        load(source)
    except CommonsError as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
