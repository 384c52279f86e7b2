"""Gen3's three tiers: what callers learn of documents that they may not read.

private
    Nothing: for them there are no others. ``accessibility`` makes no difference.
regular
    Counts, of groups of at least a limit of them. Rows are of documents that the caller may read; who asks for all,
    where others are that many, is told so instead of being given a part for the whole.
libre
    Everything.

What a tier allows becomes :class:`~commonshub.explore.requests.Rights`; engines know nothing of tiers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from commonshub.core.errors import AuthenticationRequired

from .catalog import DocType
from .filters import Links
from .rights import Reach, Rights

Level = Literal["private", "regular", "libre"]
Accessibility = Literal["all", "accessible", "unaccessible"]

OUT_OF_SCOPE = (
    "You don't have access to all the data you are querying. Try using 'accessibility: accessible' in your query."
)


@dataclass(frozen=True)
class Tiers:
    """The tiers of a commons.

    Parameters
    ----------
    level
        Of document types that `levels` does not name.
    limit, sensitive, told
        As in :class:`~commonshub.explore.requests.Rights`, under ``regular``.
    """

    level: Level = "private"
    levels: tuple[tuple[str, Level], ...] = ()
    limit: int = 1000
    sensitive: str | None = None
    told: frozenset[str] = frozenset()

    def of(self, doc_type: str) -> Level:
        """The tier of a document type."""
        return dict(self.levels).get(doc_type, self.level)


@dataclass(frozen=True)
class Caller:
    """Who asks an index: which of its resource paths they may read, out of all that it has."""

    tiers: Tiers
    paths: frozenset[str]
    whole: bool

    def may_read_all(self, doc_type: str) -> bool:
        """Whether there are no documents of a type that the caller may not read."""
        return self.whole or self.tiers.of(doc_type) == "libre"

    def rights(self, doc_type: str, accessibility: Accessibility = "all") -> Rights:
        """What aggregations of a document type may count."""
        level = self.tiers.of(doc_type)
        if level == "libre":
            return Rights(frozenset(), "public")
        own = Rights(self.paths, whole=self.whole)
        if level == "private" or accessibility == "accessible":
            return own
        if self.whole:
            return own if accessibility == "all" else Rights(frozenset())
        tiers = self.tiers
        reach: Reach = "all" if accessibility == "all" else "others"
        return replace(own, reach=reach, limit=tiers.limit, sensitive=tiers.sensitive, told=tiers.told)

    def row_rights(self, doc_type: str, accessibility: Accessibility = "all") -> tuple[Rights, Rights | None]:
        """Which documents may be shown; and those of others, where enough of them make the question one too wide.

        Raises
        ------
        AuthenticationRequired
            Only documents of others are asked for.
        """
        rights = self.rights(doc_type, accessibility)
        if not rights.masked:
            return rights, None
        if rights.reach == "others":
            raise AuthenticationRequired(OUT_OF_SCOPE)
        return Rights(self.paths), replace(rights, reach="others", told=frozenset())

    def links(self, doc_types: Mapping[str, DocType]) -> Links:
        """Other document types as a filter may speak of them: as far as the caller may see their rows."""

        def link(name: str) -> tuple[DocType, Rights] | None:
            doc_type = doc_types.get(name)
            return (doc_type, self.rights(name, "accessible")) if doc_type else None

        return link
