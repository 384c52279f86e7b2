"""The life of an index: built after submissions, never replaced by a broken one."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.waiting import eventually

from commonshub.core.errors import Conflict, NotFound
from commonshub.explore import store
from commonshub.explore.duck.index import Index
from commonshub.explore.etl import Etl, Outcome
from commonshub.explore.settings import ExploreSettings
from commonshub.explore.shrinkage import Shrunk

from .conftest import DEMO, DICTIONARY, MAPPING, Builder, Explorer, etl

ONE_CASE = MAPPING.replace("root: case\n", "root: case\n  filter: {prop: submitter_id, op: '=', value: c1}\n", 1)
SEEN = '{ case(filter: {eq: {submitter_id: "%s"}}) { submitter_id } }'


@pytest.fixture
def folder(explorer: Explorer, tmp_path: Path) -> Path:
    """The service's index folder belongs to its run list, so commands of these tests use the same."""
    return Path(explorer.running.app.settings.index_dir)


Run = Callable[..., Outcome]


@pytest.fixture
def run(explorer: Explorer, folder: Path, tmp_path: Path) -> Run:
    """One run on the service's index: ``run(force=True, mapping="…")``."""

    def once(*, force: bool = False, accept_fewer: bool = False, mapping: str = MAPPING, **settings: Any) -> Outcome:
        file = tmp_path / "etlMapping.yaml"
        file.write_text(mapping)
        app = explorer.running.app
        own = ExploreSettings(mapping_file=str(file), index_dir=str(folder), **settings)
        # The service may be building just now: its run goes first.
        return eventually(lambda: _once(Etl(app.database, app.commons, own, lambda *_: None), force, accept_fewer), 30)

    return once


def _once(etl: Etl, force: bool, accept_fewer: bool) -> Outcome | None:
    try:
        return etl.run(force=force, accept_fewer=accept_fewer)
    except Conflict:
        return None


def test_a_submission_shows_in_seconds_without_a_restart(explorer: Explorer, graph: Builder) -> None:
    explorer.query(SEEN % "c1")
    before = explorer.running.app.active.id
    graph.add("case", "fresh", {"projects": ["one"]}, project_id="P-one", primary_site="New")
    graph.commit()
    eventually(lambda: explorer.query(SEEN % "fresh")["case"])
    assert explorer.running.app.active.id > before


def test_nothing_is_built_when_nothing_changed(run: Run) -> None:
    run()
    assert run().run is None


def test_a_record_marked_for_deletion_is_left_out(explorer: Explorer, graph: Builder, run: Run) -> None:
    graph.add("case", "doomed", {"projects": ["one"]}, project_id="P-one")
    graph.commit(notify=False)
    table = graph.graph.node("case")
    with graph.engine.begin() as connection:
        marked = table.update().where(table.c.node_id == graph.ids["doomed"]).values(_sysan={"to_delete": True})
        connection.execute(marked)
    run()
    assert explorer.query(SEEN % "doomed")["case"] == []


def test_a_new_field_shows_without_a_restart(explorer: Explorer, run: Run) -> None:
    run(
        mapping=MAPPING.replace("- {name: submitter_id}\n", "- {name: submitter_id}\n  - {name: institution_code}\n", 1)
    )
    query = {"query": "{ case(first: 1) { institution_code } }"}
    eventually(lambda: explorer.post("graphql", query).status_code == 200, 30)
    run()


def test_a_run_that_fails_leaves_the_old_index(explorer: Explorer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    app = explorer.running.app
    # Not what the service answers from, which is a little behind.
    before = app.database.call(store.active, app.schema)
    with monkeypatch.context() as patch:
        patch.setattr("commonshub.explore.duck.index.Index._finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(force=True)
    newest = app.database.call(store.runs, app.schema, 1)[0]
    assert (newest.state, newest.message) == ("failed", "ZeroDivisionError: division by zero")
    assert app.database.call(store.active, app.schema).id == before.id
    assert explorer.query(SEEN % "c1")["case"]


def test_a_run_that_lost_most_documents_is_refused_until_somebody_accepts_it(explorer: Explorer, run: Run) -> None:
    app = explorer.running.app
    run()
    before = app.database.call(store.active, app.schema)
    with pytest.raises(Shrunk, match=f"1 of case where there were {before.counts['case']}"):
        run(mapping=ONE_CASE, shrinkage_from=1)
    refused = app.database.call(store.runs, app.schema, 1)[0]
    assert (refused.state, refused.counts["case"], "--accept-fewer" in refused.message) == ("failed", 1, True)
    assert app.database.call(store.active, app.schema).id == before.id
    with pytest.raises(Shrunk):
        run(mapping=ONE_CASE, shrinkage_from=1)
    # Nothing was built to find out the same.
    assert app.database.call(store.runs, app.schema, 1)[0].id == refused.id
    accepted = run(mapping=ONE_CASE, shrinkage_from=1, accept_fewer=True)
    assert (accepted.run, accepted.counts["case"]) == (refused.id + 1, 1)
    run()


def test_the_service_does_not_build_again_what_was_refused(explorer: Explorer, graph: Builder, run: Run) -> None:
    app = explorer.running.app
    files, bounds = graph.graph.node("measurement_file"), {"shrinkage_from": 1, "most_shrinkage": 0.1}
    passed = app.refresher.passed["ExploreSettings"]
    usual = {name: passed[name] for name in bounds}
    passed |= bounds
    try:
        run()
        with graph.engine.begin() as connection:
            connection.execute(files.update().values(_sysan={"to_delete": True}))
        with pytest.raises(Shrunk):
            run(**bounds)
        refused = app.database.call(store.runs, app.schema, 1)[0]
        graph.commit()
        assert eventually(lambda: app.refresher._process.returncode == 66)
        assert app.database.call(store.runs, app.schema, 1)[0].id == refused.id
    finally:
        passed |= usual
        with graph.engine.begin() as connection:
            connection.execute(files.update().values(_sysan={}))
        run()


def test_other_bounds_let_a_refused_run_pass(run: Run) -> None:
    run()
    with pytest.raises(Shrunk):
        run(mapping=ONE_CASE, shrinkage_from=1)
    assert run(mapping=ONE_CASE, shrinkage_from=1, most_shrinkage=1.0).counts["case"] == 1
    run()


def test_a_type_that_the_mapping_no_longer_has_is_not_missed(run: Run) -> None:
    run()
    without = MAPPING[: MAPPING.index("- name: test_tumor")]
    assert run(mapping=without, shrinkage_from=1).counts.keys() == {"case", "file", "project"}
    run()


def test_a_refused_run_has_a_status_of_its_own(
    explorer: Explorer, run: Run, folder: Path, database_url: str, tmp_path: Path
) -> None:
    run()
    (tmp_path / "etlMapping.yaml").write_text(ONE_CASE)
    settings = {"index_dir": str(folder), "shrinkage_from": 1}
    told = etl(database_url, tmp_path, "run", **settings)
    assert (told.returncode, "--accept-fewer" in told.stderr) == (66, True), told.stderr
    told = etl(database_url, tmp_path, "run", "--accept-fewer", **settings)
    assert (told.returncode, "1 case (-" in told.stdout) == (0, True), told.stderr
    run()


def test_a_build_makes_only_what_has_changed(explorer: Explorer, graph: Builder, run: Run) -> None:
    def made() -> tuple[int | None, set[int]]:
        """The next run, and of how many document types it made documents."""
        steps: list[tuple[str, int, int]] = []
        app = explorer.running.app
        outcome = eventually(lambda: _once(Etl(app.database, app.commons, app.settings, tell(steps)), False, False))
        return outcome.run, {of for phase, _, of in steps if phase == "flattening"}

    def tell(steps: list[tuple[str, int, int]]) -> Callable[[str, int, int], None]:
        return lambda *step: steps.append(step)

    run(force=True)
    graph.add("exposure", "e3", {"cases": ["c3"]}, project_id="P-one", meal_energy_kcal=7)
    graph.commit(notify=False)
    assert made() == (None, set())
    graph.add("demographic", "d3", {"cases": ["c3"]}, project_id="P-one", sex="female")
    graph.commit(notify=False)
    # Cases, and tumors, which take fields from them; files and projects stay as they are.
    assert made()[1] == {2}
    run_id = explorer.running.app.database.call(store.active, explorer.running.app.schema).id
    eventually(lambda: explorer.running.app.active.id == run_id)
    query = '{ case(filter: {eq: {submitter_id: "c3"}}) { sex } _aggregation { file { _totalCount } } }'
    assert explorer.query(query) == {"case": [{"sex": "female"}], "_aggregation": {"file": {"_totalCount": 4}}}


def test_after_a_run_that_failed_all_is_made_anew(
    explorer: Explorer, graph: Builder, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(force=True)
    app = explorer.running.app
    with monkeypatch.context() as patch:
        patch.setattr(Index, "_finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(force=True)
    graph.add("demographic", "d3 again", {"cases": ["c3"]}, project_id="P-one", sex="female")
    graph.commit(notify=False)
    made: set[int] = set()
    tell = lambda phase, _, of: made.add(of) if phase == "flattening" else None  # noqa: E731
    eventually(lambda: _once(Etl(app.database, app.commons, app.settings, tell), False, False))
    assert made == {4}


def test_a_killed_run_is_mended_by_the_next(explorer: Explorer, folder: Path, run: Run) -> None:
    wreck = folder / "999999.work"
    wreck.mkdir()
    (wreck / "index.duckdb").write_bytes(b"half")
    spilled = folder / "999998.duckdb.tmp"
    spilled.mkdir()
    app = explorer.running.app
    number = app.database.call(store.begin, app.schema)
    run(force=True)
    assert not wreck.exists()
    assert not spilled.exists()
    states = {each.id: each.state for each in app.database.call(store.runs, app.schema, 100)}
    assert states[number] == "failed"


def test_only_the_newest_indexes_are_kept(explorer: Explorer, folder: Path, run: Run) -> None:
    for _ in range(2):
        run(force=True, kept_runs=2)
    app = explorer.running.app
    runs = app.database.call(store.runs, app.schema, 100)
    kept = [each.id for each in runs if each.state == "ready"]
    assert sorted(int(file.stem) for file in folder.glob("*.duckdb")) == sorted(kept)
    assert (len(kept), runs[0].active) == (2, True)


def test_the_commands_run_and_tell(explorer: Explorer, folder: Path, database_url: str, tmp_path: Path) -> None:
    settings = {"mapping_file": explorer.running.app.settings.mapping_file, "index_dir": str(folder)}
    told = eventually(
        lambda: (done := etl(database_url, tmp_path, "run", "--force", **settings)).returncode != 75 and done
    )
    assert (told.returncode, "is active: " in told.stdout) == (0, True), told.stderr
    runs = json.loads(etl(database_url, tmp_path, "status", "--json").stdout)
    assert (runs[0]["state"], runs[0]["active"], runs[0]["counts"]["file"]) == ("ready", True, 4)


def test_any_process_sees_how_far_a_build_is(
    explorer: Explorer, folder: Path, database_url: str, tmp_path: Path
) -> None:
    app = explorer.running.app
    seen: list[Any] = []

    def wait_until_it_shows(phase: str, done: int, of: int) -> None:
        if (phase, done) == ("writing", 1):
            step = {"phase": phase, "done": done, "of": of}
            seen.append(eventually(lambda: (shown := _newest(database_url, tmp_path))["progress"] == step and shown))

    eventually(lambda: _once(Etl(app.database, app.commons, app.settings, wait_until_it_shows), True, False))
    assert seen[0]["state"] == "building"
    run = app.database.call(store.runs, app.schema, 1)[0]
    assert (run.id, run.state, run.progress) == (seen[0]["id"], "ready", None)


def _newest(database_url: str, folder: Path) -> Any:
    return json.loads(etl(database_url, folder, "status", "--json").stdout)[0]


def test_an_earlier_run_answers_again_until_something_changes(explorer: Explorer, graph: Builder, run: Run) -> None:
    app = explorer.running.app
    first = run(force=True).run
    graph.add("case", "regretted", {"projects": ["one"]}, project_id="P-one")
    graph.commit(notify=False)
    run()
    eventually(lambda: explorer.query(SEEN % "regretted")["case"])
    told = Etl(app.database, app.commons, app.settings, lambda *_: None).roll_back(first)
    eventually(lambda: not explorer.query(SEEN % "regretted")["case"])
    assert (told, run().run) == (first, None)
    graph.add("case", "later", {"projects": ["one"]}, project_id="P-one")
    graph.commit()
    eventually(lambda: explorer.query(SEEN % "later")["case"])
    assert explorer.query(SEEN % "regretted")["case"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["999999"], 65, "Run 999999 has no index"),
        (["newest"], 65, "'newest' is not the number"),
        (["1", "2"], 1, "Say"),
    ],
)
def test_a_rollback_to_no_run_changes_nothing(
    explorer: Explorer, folder: Path, database_url: str, tmp_path: Path, words: list[str], code: int, told: str
) -> None:
    app = explorer.running.app
    before = app.database.call(store.active, app.schema).id
    answer = etl(database_url, tmp_path, "rollback", *words, index_dir=str(folder))
    assert (answer.returncode, told in answer.stderr) == (code, True), answer.stderr
    assert app.database.call(store.active, app.schema).id == before


def test_a_rollback_needs_the_file(explorer: Explorer, folder: Path, run: Run) -> None:
    app = explorer.running.app
    first, second = run(force=True).run, run(force=True).run
    (folder / f"{first}.duckdb").rename(folder / f"{first}.gone")
    with pytest.raises(NotFound, match=f"run {first} is missing"):
        Etl(app.database, app.commons, app.settings, lambda *_: None).roll_back(first)
    assert app.database.call(store.active, app.schema).id == second


def test_a_run_that_lost_its_lock_never_becomes_active(explorer: Explorer, run: Run) -> None:
    app = explorer.running.app
    number = app.database.call(store.begin, app.schema)
    run(force=True)
    with pytest.raises(Conflict, match="has begun meanwhile"):
        app.database.call(store.activate, app.schema, number, fingerprint="", catalog=[], counts={})
    assert app.database.call(store.active, app.schema).id != number


def test_a_mapping_is_explained(explorer: Explorer, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "etlMapping.yaml").write_text(MAPPING)
    told = etl(database_url, tmp_path, "explain").stdout
    assert "  _aliquots_count (integer): count of aliquot over samples.aliquots\n" in told
    plan = json.loads(etl(database_url, tmp_path, "explain", "--json").stdout)
    assert [each["doc_type"]["name"] for each in plan["documents"]] == ["case", "file", "project", "tumor"]


def test_a_faulty_mapping_names_its_lines_and_the_old_index_keeps_answering(
    explorer: Explorer, database_url: str, folder: Path, tmp_path: Path
) -> None:
    before = explorer.count(None)
    wrong = MAPPING.replace("src: sample_type", "src: sampel_type").replace("root: project", "root: x")
    (tmp_path / "etlMapping.yaml").write_text(wrong)
    told = etl(database_url, tmp_path, "run", index_dir=str(folder))
    assert (told.returncode, "line 22" in told.stderr, "line 48" in told.stderr) == (65, True, True), told.stderr
    assert "sampel_type" in told.stderr
    assert "sampel_type" in etl(database_url, tmp_path, "status", "--json").stdout
    assert explorer.count(None) == before


def test_nobody_else_may_read_the_files(folder: Path) -> None:
    assert folder.stat().st_mode & 0o077 == 0


def test_two_runs_at_once_are_refused(explorer: Explorer, database_url: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "etlMapping.yaml").write_text(MAPPING)
    with explorer.running.app.database.engine.connect() as connection:
        eventually(lambda: store.lock(connection), 30)
        told = etl(database_url, tmp_path, "run", "--force", index_dir=str(folder))
        connection.invalidate()
    assert (told.returncode, "in progress" in told.stderr) == (75, True)


def test_the_services_build_survives_kill_9(explorer: Explorer, graph: Builder) -> None:
    graph.add("case", "late", {"projects": ["one"]}, project_id="P-one")
    refresher = explorer.running.app.refresher
    earlier = refresher._process
    graph.commit()
    process = eventually(lambda: refresher._process is not earlier and refresher._process, 30)
    os.kill(process.pid, signal.SIGKILL)
    assert explorer.query(SEEN % "c1")["case"]
    eventually(lambda: explorer.query(SEEN % "late")["case"], 30)


@pytest.fixture(scope="module")
def empty(postgres: str, run_service: Callable[..., Any], token: Callable[..., str], tmp_path_factory: Any) -> Explorer:
    """The service on a database without graph and without run."""
    import sqlalchemy as sa

    from commonshub.explore.app import ExploreApp

    engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("create database nothing_yet"))
    engine.dispose()
    url = sa.make_url(postgres).set(database="nothing_yet").render_as_string(hide_password=False)
    folder = tmp_path_factory.mktemp("nothing")
    settings = {"mapping_file": str(folder / "etlMapping.yaml"), "index_dir": str(folder / "index")}
    running = run_service(
        ExploreApp, DatabaseSettings={"url": url}, Commons={"dictionary": str(DICTIONARY)},
        ExploreSettings={**settings, "debounce_s": 0.2, "watch_s": 0.2},
    )  # fmt: skip
    return Explorer(running, token)


def test_before_the_first_index_queries_say_so(empty: Explorer) -> None:
    answer = empty.post("graphql", {"query": "{ case { submitter_id } }"})
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["extensions"]["code"] == "NO_INDEX"
    assert empty.post("download", {"type": "case"}).status_code == 404
    assert requests.get(f"{empty.url}/guppy/_status").json()["indices"] == {}
    assert empty.query("{ __schema { queryType { name } } }") == {"__schema": {"queryType": {"name": "Query"}}}


def test_a_commons_without_records_has_empty_indices(empty: Explorer) -> None:
    empty.running.app.settings.mapping.write_text((DEMO / "etlMapping.yaml").read_text())
    eventually(lambda: empty.running.app.active, 30)
    assert empty.query("{ case { submitter_id } _aggregation { file { _totalCount } } }") == {
        "case": [],
        "_aggregation": {"file": {"_totalCount": 0}},
    }
