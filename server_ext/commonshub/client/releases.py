"""The releases of a project: what was frozen, and what has changed since."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .display import table
from .session import Session

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = ("id", "name", "created_datetime", "created_by", "records", "checksum")
CURRENT = "current"


class Releases:
    """The releases of one project; shows itself as a table, newest first."""

    def __init__(self, session: Session, project_path: str) -> None:
        self._session = session
        self._path = f"{project_path}/releases"

    def freeze(self, name: str = "", notes: str = "") -> str:
        """Keep the project as it is now, for good.

        Returns
        -------
        str
            Id of the release, for ``query(…, release=…)`` and ``records(…, release=…)``.
        """
        answer = self._session.request("POST", self._path, json={"name": name, "notes": notes}).json()
        return str(answer["id"])

    @property
    def frame(self) -> "pd.DataFrame":
        """A row for each release, with the number of its records."""
        import pandas as pd

        return pd.DataFrame([self._row(each) for each in self._listed()], columns=list(_SHOWN))

    def details(self, release: str) -> dict[str, Any]:
        """All that is known of a release: counts by node type, checksum, notes, who made it and when."""
        answer: dict[str, Any] = self._session.get(f"{self._path}/{quote(release, safe='')}")
        return answer

    def diff(self, release: str, to: str = CURRENT) -> "pd.DataFrame":
        """What is other in the release `to`, or in the project as it is now: a row for each property and link.

        Parameters
        ----------
        to
            Id of another release of the project, or ``current``.

        Returns
        -------
        DataFrame
            Columns ``type``, ``id``, ``submitter_id``, ``change`` (``added``, ``removed``, ``changed``), ``property``,
            ``old`` and ``new``; of added and removed records the last three are empty.
        """
        import pandas as pd

        path = f"{self._path}/{quote(release, safe='')}/diff"
        answer = self._session.request("GET", path, params={"to": to, "format": "tsv"})
        return pd.read_csv(io.StringIO(answer.text), sep="\t", dtype="string", keep_default_na=False)

    def _listed(self) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = self._session.get(self._path)["releases"]
        return found

    def _row(self, release: Mapping[str, Any]) -> list[Any]:
        return [{**release, "records": sum(release["counts"].values())}[name] for name in _SHOWN]

    def _repr_html_(self) -> str:
        return table(_SHOWN, [self._row(each) for each in self._listed()])
