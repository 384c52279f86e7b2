"""Versions of the dictionary: one is in force, and another one comes as a whole or not at all."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.conftest import free_port

from commonshub.core import versions
from commonshub.core.database import Database
from commonshub.core.errors import Conflict, NotFound, ValidationFailed
from commonshub.core.graph import CHANNEL, HOLD
from commonshub.core.settings import DatabaseSettings
from commonshub.core.versions import Draft, Waits, draft_of_source, draft_of_version

SMALL = Path(__file__).parents[2] / "data" / "dictionary"
SOON = Waits(lock_s=0.1)


@pytest.fixture
def database(postgres: str) -> Iterator[Database]:
    from tests.conftest import database as temporary

    with temporary(postgres) as url:
        made = Database(DatabaseSettings(url=url))
        yield made
        made.close()


class Folder:
    """A dictionary that is changed."""

    def __init__(self, path: Path) -> None:
        shutil.copytree(SMALL, path)
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def replace(self, file: str, old: str, new: str) -> None:
        text = (self.path / file).read_text()
        assert old in text
        (self.path / file).write_text(text.replace(old, new, 1))

    def add(self, name: str, file: str = "case.yaml") -> None:
        """Add a property."""
        self.replace(file, "\nproperties:\n", f"\nproperties:\n  {name}:\n    type: string\n")


@pytest.fixture
def source(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "dictionary")


def listed(database: Database) -> list[tuple[int, str, str | None]]:
    return [(row.number, row.whence, row.applied_by) for row in database.call(versions.listed, "graph")]


def apply(database: Database, draft: Draft, after: int | None, waits: Waits = SOON) -> int:
    return database.call(versions.apply, "graph", draft, waits, by="admin", after=after).number


def sent(source: Folder) -> Draft:
    return versions.draft_of_files(draft_of_source(str(source)).files, "the request")


def started(database: Database, source: Folder) -> tuple[int, bool]:
    """Number of the version that a start is on, and whether it knows the property ``weight``."""
    version = versions.start(database, str(source))
    return version.number, "weight" in version.dictionary.nodes["case"].properties


def test_a_start_applies_what_has_changed_and_only_that(database: Database, source: Folder) -> None:
    assert started(database, source) == (1, False)
    assert started(database, source) == (1, False)
    source.replace("case.yaml", "id:", "# What we call a case.\nid:")
    assert started(database, source) == (1, False)
    source.add("weight")
    assert started(database, source) == (2, True)
    assert listed(database) == [(2, "source", None), (1, "source", None)]


def test_a_start_keeps_what_was_sent(database: Database, source: Folder) -> None:
    started(database, source)
    source.add("weight")
    draft = sent(source)
    source.replace("case.yaml", "\n  weight:\n    type: string", "")
    assert apply(database, draft, 1) == 2
    assert started(database, source) == (2, True)
    # The operator's next change counts again.
    source.add("height")
    assert started(database, source) == (3, False)


def test_of_services_that_start_together_one_applies_what_is_new(database: Database, source: Folder) -> None:
    for number in (1, 2):
        with ThreadPoolExecutor(4) as pool:
            numbers = [each.number for each in pool.map(lambda _: versions.start(database, str(source)), range(4))]
        assert numbers == [number] * 4
        source.add("weight")
    assert len(listed(database)) == 2


def test_a_stored_version_is_the_dictionary_that_was_applied(database: Database, source: Folder) -> None:
    original = draft_of_source(str(source))
    apply(database, original, None)
    stored = database.call(versions.load, "graph", 1).dictionary
    assert (stored.digest, stored.document) == (original.dictionary.digest, original.dictionary.document)
    assert list(stored.nodes["case"].properties) == list(original.dictionary.nodes["case"].properties)


def test_a_source_that_cannot_be_reached_stops_only_the_first_start(database: Database, source: Folder) -> None:
    away = f"http://127.0.0.1:{free_port()}/dictionary.json"
    with pytest.raises(versions.Unavailable):
        versions.start(database, away)
    started(database, source)
    assert versions.start(database, away).number == 1


def test_a_source_with_faults_stops_a_start(database: Database, source: Folder) -> None:
    started(database, source)
    source.replace("case.yaml", "links:", "lynx:")
    with pytest.raises(ValidationFailed):
        versions.start(database, str(source))
    assert len(listed(database)) == 1


def test_a_version_that_is_faulty_by_now_gives_way_to_a_mended_one(database: Database, source: Folder) -> None:
    started(database, source)
    spoil = """update graph.dictionary_versions set files = replace(files, '"links"', '"lynx"'), source_digest = ''"""
    database.call(lambda connection: connection.execute(sa.text(spoil)))
    with pytest.raises(ValidationFailed):
        database.call(versions.load, "graph", 1)
    source.add("weight")
    assert started(database, source) == (2, True)


def test_who_builds_of_the_graph_goes_by_what_is_in_force(database: Database, source: Folder) -> None:
    def knows_weight() -> bool:
        dictionary = database.call(versions.in_force, "graph", str(source))
        return "weight" in dictionary.nodes["case"].properties

    assert not knows_weight()
    started(database, source)
    source.add("weight")
    assert not knows_weight()
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as listener:
        for channel in (versions.CHANNEL, CHANNEL):
            listener.execute(sa.text(f"listen {channel}"))
        apply(database, sent(source), 1)
        listener.execute(sa.text("select 1"))
        heard = {each.channel for each in listener.connection.driver_connection.notifies}
        listener.execute(sa.text("unlisten *"))
    assert heard == {versions.CHANNEL, CHANNEL}
    assert knows_weight()


def test_of_two_that_apply_after_the_same_version_one_does(database: Database, source: Folder) -> None:
    started(database, source)
    drafts = []
    for name in ("weight", "height"):
        source.add(name)
        drafts.append(sent(source))

    def attempt(draft: Draft) -> int | str:
        try:
            return apply(database, draft, 1, Waits())
        except Conflict as error:
            return error.message

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(attempt, drafts), key=str)
    assert answers[0] == 2
    assert answers[1] == "Version 2 of the dictionary has come in between; look again."


def test_who_holds_the_dictionary_keeps_it(database: Database, source: Folder) -> None:
    started(database, source)
    source.add("weight")
    hold = sa.text(f"select graph.{HOLD}()")
    with database.engine.begin() as connection:
        assert connection.execute(hold).scalar_one() == 1
        with pytest.raises(Conflict, match=r"cannot be changed now: 1 transaction under way, the oldest for \d+ s"):
            apply(database, sent(source), 1)
        # A start does not wait for ever either, and goes on with what is in force.
        assert versions.start(database, str(source), Waits(lock_s=0.1)).number == 1
    assert apply(database, sent(source), 1) == 2
    with database.engine.begin() as connection:
        assert connection.execute(hold).scalar_one() == 2


def test_who_waited_for_a_change_is_told_of_it(database: Database, source: Folder) -> None:
    started(database, source)
    source.add("weight")
    with ThreadPoolExecutor(1) as pool:
        with database.engine.begin() as connection:
            versions.apply(connection, "graph", sent(source), SOON, by=None, after=1)
            waiting = pool.submit(
                database.call, lambda other: other.execute(sa.text(f"select graph.{HOLD}()")).scalar_one()
            )
            _until_somebody_waits(database)
        assert waiting.result(30) == 2


def _until_somebody_waits(database: Database) -> None:
    from tests.waiting import eventually

    query = sa.text("select count(*) from pg_locks where locktype = 'advisory' and not granted")
    eventually(lambda: database.call(lambda connection: connection.execute(query).scalar_one()), 30)


def test_what_fails_in_the_middle_leaves_nothing(
    database: Database, source: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(database, source)
    (source.path / "visit.yaml").write_text((source.path / "case.yaml").read_text().replace("id: case", "id: visit"))
    source.replace("visit.yaml", "backref: cases", "backref: visits")
    source.replace("visit.yaml", "backref: known_by", "backref: visited")
    draft = sent(source)

    class Lost(Exception):
        pass

    def lose(*_arguments: Any) -> None:
        raise Lost

    monkeypatch.setattr(versions, "_plain", lose)
    with pytest.raises(Lost):
        apply(database, draft, 1)
    monkeypatch.undo()
    assert _tables(database) & {"node_visit"} == set()
    assert len(listed(database)) == 1
    assert apply(database, draft, 1) == 2
    assert "node_visit" in _tables(database)


def _tables(database: Database) -> set[str]:
    return set(database.call(lambda connection: sa.inspect(connection).get_table_names("graph")))


def test_an_earlier_version_can_be_applied_again(database: Database, source: Folder) -> None:
    started(database, source)
    source.add("weight")
    started(database, source)
    assert apply(database, database.call(draft_of_version, "graph", 1), 2) == 3
    assert listed(database)[0] == (3, "version 1", "admin")
    assert started(database, source) == (3, False)
    with pytest.raises(NotFound, match="no version 9"):
        database.call(draft_of_version, "graph", 9)


@pytest.fixture
def insert(database: Database) -> Callable[[str, str], None]:
    """Store a case with a submitter_id and a code."""

    def run(name: str, code: str) -> None:
        statement = sa.text(
            "insert into graph.node_case (node_id, _props) values (gen_random_uuid(),"
            " jsonb_build_object('project_id', 'P-one', 'submitter_id', cast(:n as text), 'code', cast(:c as text)))"
        )
        database.call(lambda connection: connection.execute(statement, {"n": name, "c": code}))

    return run


def test_unique_keys_come_and_go_with_the_dictionary(
    database: Database, source: Folder, insert: Callable[[str, str], None]
) -> None:
    source.add("code")
    started(database, source)
    insert("a", "x")
    insert("b", "x")
    source.replace("case.yaml", "uniqueKeys: [[id],", "uniqueKeys: [[id], [code],")
    with pytest.raises(Conflict, match=r"break a unique key of the dictionary: Key .*x.* is duplicated"):
        apply(database, sent(source), 1)
    database.call(lambda connection: connection.execute(sa.text("truncate graph.node_case cascade")))
    assert apply(database, sent(source), 1) == 2
    insert("a", "x")
    with pytest.raises(sa.exc.IntegrityError):
        insert("b", "x")
    source.replace("case.yaml", " [code],", "")
    assert apply(database, sent(source), 2) == 3
    insert("b", "x")
