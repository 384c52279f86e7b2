"""The commons as a notebook sees it."""

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import files, objects, queries, selection, submission
from .credentials import find
from .download import Downloads, download
from .errors import NotFound, SubmissionFailed
from .faults import Faults
from .objects import DataObject
from .progress import Progress
from .releases import Releases
from .session import Session
from .submission import SUBMISSION, project_path
from .upload import upload
from .user import User, user_of

if TYPE_CHECKING:
    import pandas as pd


class Commons:
    """A commons and your account there.

    ``Commons()`` needs nothing in a workspace of the commons. Elsewhere it uses the API key in ``GEN3_API_KEY`` or
    ``~/.gen3/credentials.json``.

    Parameters
    ----------
    origin
        Address of the commons, where the credentials do not say it: ``https://commons.example.org``.
    api_key
        Path of a credentials file, or its content.
    access_token, hub_token
        Tokens obtained otherwise.
    timeout_s
        Longest silence from the commons, in seconds.

    Raises
    ------
    NoCredentials
        There is nothing to sign in with; the message says what to do.
    """

    def __init__(
        self,
        origin: str | None = None,
        *,
        api_key: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        access_token: str | None = None,
        hub_token: str | None = None,
        timeout_s: float = 60,
    ) -> None:
        source = find(origin, api_key=api_key, access_token=access_token, hub_token=hub_token)
        self._session = Session(source, timeout_s)
        self._dictionary: dict[str, Any] | None = None

    @property
    def origin(self) -> str:
        """Address of the commons."""
        return self._session.origin

    @property
    def session(self) -> Session:
        """HTTP with the commons, for what has no method here."""
        return self._session

    def close(self) -> None:
        """Give all connections back."""
        self._session.close()

    def __enter__(self) -> "Commons":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        # The address keeps two clients apart where their text is a cache key, as in fsspec.
        return f"<Commons {self.origin} by {self._session.source.description} at {id(self):#x}>"

    def _repr_html_(self) -> str:
        return f"<b>Commons</b> {escape(self.origin)}, signed in by {escape(self._session.source.description)}"

    # -- who and what ----------------------------------------------------------

    def whoami(self) -> User:
        """You, and what you may do."""
        return user_of(self._session.get("/user/user"))

    def projects(self) -> "pd.DataFrame":
        """The projects that you may read, a row each."""
        import pandas as pd

        known = self._properties("project")
        fields = ["project_id", "code", *(each for each in ("name", "availability_type") if each in known)]
        data = self.query(f"{{ project(first: 0) {{ {' '.join(fields)} programs {{ name }} }} }}")
        rows = []
        for each in data["project"] or []:
            program = (each.pop("programs") or [{}])[0].get("name")
            rows.append({"project_id": each.pop("project_id"), "program": program, **each})
        columns = ["project_id", "program", *fields[1:]]
        return pd.DataFrame(rows, columns=columns).sort_values("project_id", ignore_index=True)

    def dictionary(self) -> Mapping[str, Any]:
        """The data dictionary: each node type's JSON schema by its name; asked for once."""
        if self._dictionary is None:
            document = self._session.get(f"{SUBMISSION}/_dictionary/_all")
            self._dictionary = {
                name: node
                for name, node in document.items()
                if not name.startswith("_") and isinstance(node, dict) and "category" in node and "properties" in node
            }
        return self._dictionary

    def file_nodes(self) -> list[str]:
        """The node types that stand for files."""
        return sorted(
            name for name, node in self.dictionary().items() if str(node.get("category", "")).endswith("_file")
        )

    def _properties(self, node: str) -> Mapping[str, Any]:
        known = self.dictionary()
        if node not in known:
            raise NotFound(f"There is no node type {node!r} in this commons. There are: {', '.join(sorted(known))}.")
        properties: Mapping[str, Any] = known[node]["properties"]
        return properties

    # -- queries ---------------------------------------------------------------

    def query(
        self, graphql: str, variables: Mapping[str, Any] | None = None, *, release: str | None = None
    ) -> dict[str, Any]:
        """The ``data`` of a GraphQL query over the graph, or over a release in its place.

        Raises
        ------
        QueryFailed
            The commons could not answer all of it.
        """
        return queries.graphql(self._session, f"{SUBMISSION}/graphql", graphql, variables, release)

    def table(
        self, graphql: str, variables: Mapping[str, Any] | None = None, *, release: str | None = None
    ) -> "pd.DataFrame":
        """The answer to a GraphQL query over the graph, or over a release in its place, as a table.

        It has a row for each of the deepest records, with those above it repeated, and columns named by their path:
        ``samples.aliquots.submitter_id``. Each list needs ``first: 0`` to be whole.

        Raises
        ------
        QueryFailed
            The commons could not answer it, or it makes no table: there are two lists beside one another.
        """
        return queries.graph_table(self._session, f"{SUBMISSION}/graphql", graphql, variables, release)

    def explore(
        self,
        type: str,
        fields: Sequence[str] | None = None,
        filter: selection.Filter | None = None,
        *,
        sort: selection.Sort | None = None,
        first: int | None = None,
        offset: int = 0,
        accessibility: str = "accessible",
    ) -> "pd.DataFrame":
        """Rows of the explorer's flat documents.

        Parameters
        ----------
        type
            Document type, such as ``case`` or ``file``.
        fields
            Columns, dotted where nested; by default all that are not nested.
        filter
            ``{"sex": "female", "stage": ["I", "II"]}``, or the full filter grammar.
        sort
            ``"age"``, ``"-age"`` for descending, or several.
        first
            Number of rows; by default all.

        Raises
        ------
        QueryFailed
            The commons could not answer it.
        """
        return queries.flat_rows(self._session, type, fields, filter, sort, first, offset, accessibility)

    def document_types(self) -> list[str]:
        """The explorer's document types, such as ``case`` and ``file``."""
        return queries.document_types(self._session)

    def count_by(self, type: str, field: str, filter: selection.Filter | None = None) -> "pd.DataFrame":
        """How many of the explorer's documents have each value of a field."""
        return queries.counts(self._session, type, field, filter)

    # -- records ---------------------------------------------------------------

    def releases(self, project: str) -> Releases:
        """The releases of a project, which can be read in place of it, and compared."""
        return Releases(self._session, project_path(project))

    def records(self, node: str, project: str, *, release: str | None = None) -> "pd.DataFrame":
        """All records of a node type in a project, or in a release of it; the table can be submitted again.

        Links are columns ``<link>.submitter_id``.
        """
        if release is None:
            self._properties(node)
        return submission.records(self._session, node, project, release)

    def submit(
        self,
        project: str,
        data: "pd.DataFrame | Mapping[str, Any] | Iterable[Mapping[str, Any]]",
        node: str | None = None,
        *,
        dry_run: bool = False,
    ) -> "pd.DataFrame":
        """Create or update records: all of them or, when one is faulty, none.

        Parameters
        ----------
        data
            A table with a row per record, or a list of dictionaries. Links are columns ``<link>.submitter_id``; empty
            cells are not sent.
        node
            Node type of rows without a ``type``.
        dry_run
            Check everything and store nothing.

        Returns
        -------
        DataFrame
            What became of each row, with the index of `data`.

        Raises
        ------
        SubmissionFailed
            Rows were refused and nothing was stored; its ``frame`` has a line per fault with row and column, and it
            shows itself as that table.
        """
        return submission.submit(self._session, project, data, node, dry_run=dry_run)

    def check(
        self,
        project: str,
        data: "pd.DataFrame | Mapping[str, Any] | Iterable[Mapping[str, Any]]",
        node: str | None = None,
    ) -> Faults:
        """What is wrong with records, as :meth:`submit` would find it; nothing is stored.

        Returns
        -------
        Faults
            Shows itself as a table of row, column, value, what is wrong and what to do; empty when all is right.
        """
        try:
            self.submit(project, data, node, dry_run=True)
        except SubmissionFailed as error:
            return error.faults
        return Faults([])

    # -- files -----------------------------------------------------------------

    def files(self, project: str | None = None, nodes: Sequence[str] | None = None) -> "pd.DataFrame":
        """The files of a project, or of all projects that you may read: a row each, at most 20,000 of each type.

        Parameters
        ----------
        nodes
            File node types; by default all.
        """
        chosen = self.file_nodes() if nodes is None else nodes
        return files.listing(self.query, {node: self._properties(node) for node in chosen}, project)

    def resolve(self, guid: str) -> DataObject:
        """The data object of a GUID or a ``drs://`` address.

        Raises
        ------
        NotFound
            This commons does not know it.
        """
        return objects.resolve(self._session, [guid])[0]

    def download(
        self,
        guids: "str | DataObject | Iterable[str | DataObject] | pd.DataFrame",
        folder: str | os.PathLike[str] = ".",
        *,
        workers: int = 4,
        overwrite: bool = False,
        progress: bool | Progress = True,
        cancel: threading.Event | None = None,
    ) -> Downloads:
        """Fetch files into a folder, verified against size and checksum on record.

        Calling it again keeps complete files and continues incomplete ones.

        Parameters
        ----------
        guids
            A GUID or ``drs://`` address, several, or a table such as :meth:`files` gives.
        workers
            Files at a time.
        overwrite
            Replace files of the same name that hold something else.
        progress
            Whether to show a bar, or what to show it with.
        cancel
            Set from another thread, it stops the transfer.

        Raises
        ------
        TransferFailed
            Some files could not be fetched; ``failures`` has the reasons, ``done`` the complete files.
        """
        wanted = objects.resolve(self._session, files.guids(guids))
        return download(
            self._session, wanted, Path(folder), workers=workers, overwrite=overwrite, progress=progress, cancel=cancel
        )

    def upload(
        self,
        path: str | os.PathLike[str],
        *,
        file_name: str | None = None,
        authz: Sequence[str] = (),
        guid: str | None = None,
        wait_s: float = 300,
        progress: bool | Progress = True,
        cancel: threading.Event | None = None,
    ) -> DataObject:
        """Send a file to the commons and wait until it has verified size and checksum.

        Only you may read it until a submitted record, or `authz`, puts it into a project.

        Parameters
        ----------
        file_name
            Name on record; by default that of the file.
        authz
            Resource paths that shall govern access, such as ``/programs/P/projects/Q``.
        guid
            Send the bytes of a data object that exists already, for instance after a failure.
        wait_s
            How long to wait for the verification, in seconds; 0 does not wait.

        Raises
        ------
        TransferFailed
            It was not sent, or not verified in time.
        ChecksumMismatch
            The commons holds other bytes than the file.
        """
        return upload(
            self._session,
            Path(path),
            file_name=file_name,
            authz=authz,
            guid=guid,
            wait_s=wait_s,
            progress=progress,
            cancel=cancel,
        )
