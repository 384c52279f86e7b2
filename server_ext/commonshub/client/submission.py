"""Records of a project, read and written through the submission API."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from . import entities
from .errors import Refused, SubmissionFailed
from .session import Session

if TYPE_CHECKING:
    import pandas as pd

SUBMISSION = "/api/v0/submission"


def project_path(project: str) -> str:
    """Path of a project's routes.

    Raises
    ------
    Refused
        It is no project id.
    """
    program, dash, code = project.partition("-")
    if not (program and dash and code):
        raise Refused(f"{project!r} is not a project id; it looks like program-project, see projects().")
    return f"{SUBMISSION}/{quote(program, safe='')}/{quote(code, safe='')}"


def records(session: Session, node: str, project: str, release: str | None) -> "pd.DataFrame":
    """All records of a node type; see :meth:`commonshub.client.Commons.records`."""
    import pandas as pd

    path = project_path(project) + ("" if release is None else f"/releases/{quote(release, safe='')}")
    answer = session.get(f"{path}/export/", {"node_label": node, "format": "json"})
    rows = [entities.flat(row) for row in answer["data"]]
    if not rows:
        return pd.DataFrame(columns=["type", "submitter_id"])
    return pd.DataFrame(rows).convert_dtypes()


def submit(
    session: Session,
    project: str,
    data: "pd.DataFrame | Mapping[str, Any] | Iterable[Mapping[str, Any]]",
    node: str | None,
    *,
    dry_run: bool,
) -> "pd.DataFrame":
    """Create or update records; see :meth:`commonshub.client.Commons.submit`."""
    labels, rows = entities.rows_of(data)
    if not rows:
        raise Refused("There is nothing to submit: the table has no rows.")
    body = [entities.entity(row, node) for row in rows]
    path = project_path(project) + ("/_dry_run" if dry_run else "")
    answer = session.request("PUT", path, json=body, refused=False)
    document = answer.json()
    if answer.is_success and document.get("success", True):
        return entities.results(labels, rows, document)
    found = entities.faults(labels, rows, document)
    if not found:
        raise Refused(
            str(document.get("message") or document.get("error") or "The submission was refused."), 400, document
        )
    raise SubmissionFailed(entities.summary(found, len(rows), document), found, document)
