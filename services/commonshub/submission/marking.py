"""Records that are kept, and hidden from the explorer.

Gen3's programs that build an explorer's index leave out what has ``to_delete`` among its annotations (``_sysan``); so
does this commons. Queries and exports show it still.
"""

import sqlalchemy as sa

from .entity import UPDATE, Outcome
from .picked import Picked, counted
from .request import Submission
from .store import Store


def mark(connection: sa.Connection, store: Store, submission: Submission, to_delete: bool) -> Outcome:
    """Hide the records whose ids `submission` has, or show them again.

    Raises
    ------
    Rejected
        One of them is not there.
    """
    picked = Picked(store, connection, submission, "deletions")
    for entity in picked.entities:
        entity.action = UPDATE if entity.node else None

    def write() -> None:
        for kind, ids in picked.by_type.items():
            store.annotate(connection, kind, ids, {"to_delete": to_delete})

    message = f"Successfully marked {counted(len(picked.entities))} as to_delete={str(to_delete).lower()}"
    return picked.conclude(picked.outcome(message), write)
