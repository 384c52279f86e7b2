"""The project of a request, and how a transaction on it begins."""

import sqlalchemy as sa

from ..core.errors import BadRequest, NotFound
from . import journal
from .entity import Project
from .request import Submission
from .store import Store


def find_project(store: Store, connection: sa.Connection, program: str, code: str, lock: bool = False) -> Project:
    """The project of a path.

    Raises
    ------
    NotFound
        There is none.
    """
    project = store.project(connection, program, code, lock)
    if project is None:
        raise NotFound(f"Project {code} not found")
    return project


def begin(store: Store, connection: sa.Connection, submission: Submission, what: str) -> tuple[Project, int]:
    """Hold the project of a submission, and write the submission's row of the log, whose number is returned.

    Parameters
    ----------
    what
        What a closed project does not let happen.

    Raises
    ------
    NotFound
        There is no such project.
    BadRequest
        It is closed.
    """
    row = journal.row(submission, journal.SUCCEEDED)
    begun = store.begin(connection, submission.program, submission.code, row)
    if begun is None:
        raise NotFound(f"Project {submission.code} not found")
    require_open(begun[0], what)
    return begun


def require_open(project: Project, what: str) -> None:
    """Refuse changes of a project that is closed for them.

    Raises
    ------
    BadRequest
        The project's state is not ``open``.
    """
    state = project.properties.get("state", "open")
    if state != "open":
        raise BadRequest(f"Project is in state '{state}', which prevents {what}. Open the project first.")
