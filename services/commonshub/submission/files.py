"""File nodes and their records in the index.

A file node stands for a data object that the index knows by its GUID, the node's ``object_id``:

- a record that an upload made, which so far belongs to its uploader: the submission gives it to the project;
- a record of other origin: the node refers to it and leaves it as it is;
- no record yet: the submission makes one, for data that are elsewhere (``urls``) or are yet to come.

Record and node are written in one transaction, so neither is ever without the other.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from psycopg2.errors import UndefinedTable
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import ProgrammingError

from ..core import records
from ..core.errors import BadRequest, Unavailable
from ..core.records import Draft, Record
from ..core.storage import Location
from ..core.texts import TEXTS
from .entity import Entity, Project, fault
from .store import Store

Print = tuple[str, int]
"""MD5 and size in bytes of a file."""


@dataclass
class Plan:
    """What a submission does to the index.

    Parameters
    ----------
    drafts
        Records to make.
    adopted
        GUIDs of uploads that the project takes over, by the resource paths that they get.
    urls
        New URLs of records, by GUID.
    """

    drafts: list[Draft] = field(default_factory=list)
    adopted: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    urls: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """What the index has of the submitted files.

    Parameters
    ----------
    by_guid
        Records by GUID.
    by_print
        Records by MD5 and size.
    aliases
        Aliases of records, of those that this submission would give.
    """

    by_guid: Mapping[str, Record]
    by_print: Mapping[Print, Sequence[Record]]
    aliases: Collection[str] = ()


class Planner:
    """Decides for each file node of one submission which record it stands for.

    Parameters
    ----------
    username
        The caller: only his own uploads can he give to a project.
    buckets
        Buckets that this commons signs URLs for. A submitted URL must not point into them, because whoever may read
        the record could then read whatever object it names.
    guid_prefix
        Prefix of the GUIDs that are made up here.
    indexed_only
        Whether a file must have its record before it is submitted.
    """

    def __init__(
        self,
        project: Project,
        username: str | None,
        buckets: Collection[str],
        known: Known,
        guid_prefix: str = "",
        indexed_only: bool = False,
    ) -> None:
        self.username = username
        self.buckets = buckets
        self.known = known
        self.indexed_only = indexed_only
        self.plan = Plan()
        self._resource = project.resource
        self._own = (project.resource,)
        self._made: dict[Print | None, str] = {}
        self._guids = records.minted(guid_prefix)

    def decide(self, entities: Iterable[Entity]) -> Plan:
        """Set ``object_id`` of the nodes, note their faults, and return what is to be done."""
        for entity in entities:
            if not entity.errors:
                self._decide(entity)
        return self.plan

    def _decide(self, entity: Entity) -> None:
        self._check_urls(entity)
        guid = given_guid(entity)
        if guid is None:
            self._find(entity)
            return
        record = self.known.by_guid.get(guid)
        if record is None:
            if entity.document.get("object_id") or entity.old is not None:
                message = f"There is no data object {guid} in the index; upload it first, or leave object_id out."
                if stored_guid(entity) != guid:
                    entity.errors.append(fault("INVALID_VALUE", message, ["object_id"], "object"))
                return
            self._make(entity, guid)
            return
        self._refer(entity, record)

    def _find(self, entity: Entity) -> None:
        content = file_print(entity)
        found = self.known.by_print.get(content, ()) if content else ()
        usable = [record for record in found if self._rank(record) is not None]
        if usable:
            self._refer(entity, min(usable, key=lambda record: self._rank(record) or 0))
        elif content in self._made:
            set_guid(entity, self._made[content])
        else:
            self._make(entity, entity.id if entity.document.get("id") and not _has_object_id(entity) else None)

    def _rank(self, record: Record) -> int | None:
        """How near a record with the same content is to the project; None for somebody else's unfinished upload."""
        if self._resource in record.authz:
            return 0
        if record.uploader is not None and record.uploader == self.username:
            return 1
        return 2 if record.authz or record.acl or record.uploader is None else None

    def _refer(self, entity: Entity, record: Record) -> None:
        if not self._same_content(entity, record):
            return
        if not record.authz and not record.acl and record.uploader is not None:
            if record.uploader != self.username:
                message = f"The data object {record.did} was uploaded by another user, who alone can submit it."
                entity.errors.append(fault("INVALID_PERMISSIONS", message, ["object_id"], "object"))
                return
            self.plan.adopted.setdefault(self._paths(entity), []).append(record.did)
        set_guid(entity, record.did)
        if entity.urls is not None and stored_guid(entity) == record.did:
            if self._resource in record.authz:
                self.plan.urls[record.did] = entity.urls
            else:
                message = f"The data object {record.did} belongs to another project, which alone can change its urls."
                entity.errors.append(fault("INVALID_PERMISSIONS", message, ["urls"], "object"))

    def _same_content(self, entity: Entity, record: Record) -> bool:
        if record.size is None or not record.hashes:
            message = (
                f"The data object {record.did} is not ready for metadata submission yet: "
                "its size and hashes are still being computed. Try again shortly."
            )
            entity.errors.append(fault("ERROR", message, ["object_id"], "object"))
            return False
        faults = []
        if entity.properties.get("md5sum") != record.hashes.get("md5"):
            message = f"Provided hash ({entity.properties.get('md5sum')}) does not match that of the indexed file."
            faults.append(fault("INVALID_VALUE", message, ["md5sum"], "object"))
        if entity.properties.get("file_size") != record.size:
            message = f"Provided size ({entity.properties.get('file_size')}) does not match that of the indexed file."
            faults.append(fault("INVALID_VALUE", message, ["file_size"], "object"))
        entity.errors.extend(faults)
        return not faults

    def _make(self, entity: Entity, guid: str | None) -> None:
        if self.indexed_only:
            message = "The index has no record of this file, and this commons makes none: upload or register it first."
            entity.errors.append(fault("INVALID_VALUE", message, ["object_id"], "object"))
            return
        given = file_print(entity)
        guid = guid or next(self._guids)
        alias = alias_of(entity)
        self.plan.drafts.append(
            Draft(
                did=guid,
                size=entity.properties.get("file_size"),
                hashes={"md5": given[0]} if given else {},
                urls=entity.urls or [],
                file_name=entity.properties.get("file_name"),
                authz=self._paths(entity),
                aliases=[] if alias in self.known.aliases else [alias],
            )
        )
        if given:
            self._made[given] = guid
        set_guid(entity, guid)

    def _paths(self, entity: Entity) -> tuple[str, ...]:
        """What one must be allowed to read the record: its project, and each consent that it was given under."""
        codes = entity.properties.get("consent_codes")
        return (self._resource, *(f"/consents/{code}" for code in codes)) if codes else self._own

    def _check_urls(self, entity: Entity) -> None:
        for url in entity.urls or ():
            try:
                inside = url[:5].lower() == "s3://" and Location.parse(url).bucket in self.buckets
            except BadRequest:
                inside = True
            if inside:
                message = f"{url!r} is in this commons' own store: upload the file and give its object_id instead."
                entity.errors.append(fault("INVALID_VALUE", message, ["urls"], "object"))


def alias_of(entity: Entity) -> str:
    """The name under which Gen3 tools look a submitted file up in the index."""
    return f"{entity.project_id}/{entity.submitter_id}"


def _has_object_id(entity: Entity) -> bool:
    return entity.node is not None and "object_id" in entity.node.properties


def given_guid(entity: Entity) -> str | None:
    """The GUID that a document or the stored node names; without ``object_id`` in the dictionary it is the node's id.

    A new node's own id is also the GUID of the record that is made for it.
    """
    if not _has_object_id(entity):
        return entity.id if entity.old is not None or entity.document.get("id") else None
    named = entity.properties.get("object_id") or (entity.document.get("id") if entity.old is None else None)
    return str(named) if named is not None else None


def stored_guid(entity: Entity) -> str | None:
    """The GUID of the data object that the stored node stands for; None where there is no such node."""
    if entity.old is None:
        return None
    return entity.old.get("object_id") if _has_object_id(entity) else entity.id


def set_guid(entity: Entity, guid: str) -> None:
    """Let a node stand for a data object."""
    if _has_object_id(entity):
        entity.properties["object_id"] = guid
    elif entity.old is None:
        entity.id = guid


def file_print(entity: Entity) -> Print | None:
    """MD5 and size of a node's file, where both are given."""
    md5, size = entity.properties.get("md5sum"), entity.properties.get("file_size")
    return (md5, size) if isinstance(md5, str) and isinstance(size, int) else None


# -- SQL ---------------------------------------------------------------------------


def look_up(connection: sa.Connection, schema: str, entities: Sequence[Entity]) -> Known:
    """What the index has of the files of a submission, with at most three statements.

    Raises
    ------
    Unavailable
        The index service has not made its tables yet.
    """
    try:
        return _known(connection, schema, entities)
    except ProgrammingError as error:
        if not isinstance(error.orig, UndefinedTable):
            raise
        raise Unavailable("The index is not ready yet; try again in a few seconds.") from error


def _known(connection: sa.Connection, schema: str, entities: Sequence[Entity]) -> Known:
    named = [given_guid(entity) for entity in entities]
    guids = {guid for guid in named if guid is not None}
    prints = {
        content
        for entity, guid in zip(entities, named, strict=True)
        if guid is None and (content := file_print(entity)) is not None
    }
    by_print: dict[Print, list[Record]] = {}
    if prints:
        for row in connection.execute(_by_md5(schema), {"md5s": list({md5 for md5, _ in prints})}):
            record = records.of_row(row)
            by_print.setdefault((record.hashes["md5"], record.size or 0), []).append(record)
    aliases = [alias_of(entity) for entity in entities if entity.old is None]
    return Known(
        by_guid=records.get_many(connection, schema, guids) if guids else {},
        by_print=by_print,
        aliases=set(connection.execute(_taken(schema), {"aliases": aliases}).scalars()) if aliases else (),
    )


# An offset, of nothing, keeps PostgreSQL from turning probes of an index into one scan of the whole table: it knows of
# no list or object how few records hold it.
_NOTHING: sa.ColumnElement[int] = sa.literal_column("0")


@lru_cache(maxsize=8)
def _by_md5(schema: str) -> sa.Select[Any]:
    """The records with the MD5s in the parameter ``md5s``, oldest first."""
    table = records.tables(schema).record
    wanted = sa.func.unnest(sa.bindparam("md5s", type_=TEXTS)).table_valued(sa.column("md5", sa.Text)).render_derived()
    holds = table.c.hashes.contains(sa.func.jsonb_build_object("md5", wanted.c.md5))
    found = sa.select(*records.columns(table)).where(holds).offset(_NOTHING).lateral()
    query = sa.select(found).select_from(wanted.join(found, sa.true()))
    return query.order_by(found.c.created_date, found.c.guid)


@lru_cache(maxsize=8)
def _taken(schema: str) -> sa.Select[Any]:
    """Those of the parameter ``aliases`` that some record has."""
    table = records.tables(schema).record
    wanted = sa.func.unnest(sa.bindparam("aliases", type_=TEXTS)).table_valued(sa.column("alias", sa.VARCHAR))
    wanted = wanted.render_derived()
    holds = records.have_alias(table, pg.array([wanted.c.alias]))
    found = sa.select(table.c.guid).where(holds).offset(_NOTHING).lateral()
    return sa.select(wanted.c.alias).select_from(wanted.join(found, sa.true()))


def refuse_shared(store: Store, connection: sa.Connection, entities: Iterable[Entity]) -> None:
    """Refuse nodes of a data object that another node stands for already, where both have one id."""
    new = [each for each in entities if each.old is None and not each.errors and not _has_object_id(each)]
    taken: set[str | None] = set(store.owners(connection, [each.id for each in new if each.id is not None]))
    for entity in new:
        if entity.id in taken:
            message = f"Another record stands for the data object {entity.id} of this file already."
            advice = "Give this one an id of its own, which a data object of its own will have, too."
            entity.errors.append(fault("NOT_UNIQUE", message, ["md5sum", "file_size"], "object", suggestion=advice))
        taken.add(entity.id)


def write(connection: sa.Connection, schema: str, plan: Plan) -> None:
    """Do what was decided.

    Raises
    ------
    sqlalchemy.exc.IntegrityError
        A record with one of the GUIDs was made in between.
    """
    if plan.drafts:
        records.add(connection, schema, plan.drafts)
    for authz, guids in plan.adopted.items():
        records.assign(connection, schema, guids, {"authz": list(authz), "uploader": None})
    if plan.urls:
        _replace_urls(connection, records.tables(schema).record, plan.urls)


def _replace_urls(connection: sa.Connection, table: sa.Table, urls: Mapping[str, list[str]]) -> None:
    rows = [{"guid": guid, "urls": those, "rev": records.new_rev()} for guid, those in urls.items()]
    given = (
        sa.func.jsonb_to_recordset(sa.bindparam("rows", rows, type_=JSONB()))
        .table_valued(
            sa.column("guid", sa.Text), sa.column("urls", ARRAY(sa.VARCHAR())), sa.column("rev", sa.VARCHAR())
        )
        .render_derived(name="given", with_types=True)
    )
    nothing: sa.ColumnElement[dict[str, str]] = sa.literal_column("'{}'::jsonb")
    values = {"urls": given.c.urls, "url_metadata": nothing, "rev": given.c.rev, "updated_date": records.now()}
    connection.execute(sa.update(table).where(table.c.guid == given.c.guid).values(values))
