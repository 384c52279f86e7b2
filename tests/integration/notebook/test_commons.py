"""The notebook half against the real services."""

import os
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from tests.waiting import eventually

import commonshub.server
from commonshub.client import Commons, NotFound, NotPermitted, QueryFailed, SubmissionFailed
from commonshub.widgets import FileBrowser

PROJECT = "demo-trial"
NOTEBOOK = Path(commonshub.server.__file__).parent / "notebooks" / "Start here.ipynb"


def test_a_user_is_told_who_they_are(reader: Commons) -> None:
    me = reader.whoami()
    assert me.username == "ruth"
    assert me.may("read", "/programs/demo/projects/trial")
    assert not me.may("create", "/programs/demo/projects/trial")


def test_projects_are_listed(reader: Commons) -> None:
    projects = reader.projects()
    assert projects[["project_id", "program", "code"]].to_numpy().tolist() == [[PROJECT, "demo", "trial"]]


def test_the_graph_answers(reader: Commons) -> None:
    data = reader.query("query($p: [String]) { _case_count(project_id: $p) }", {"p": [PROJECT]})
    assert data == {"_case_count": 3}


def test_a_faulty_query_is_told(reader: Commons) -> None:
    with pytest.raises(QueryFailed, match="nonsense"):
        reader.query("{ nonsense }")


def test_a_query_comes_as_a_table_with_the_types_of_its_values(reader: Commons) -> None:
    query = """query($p: [String]) { case(first: 0, project_id: $p, order_by_asc: "submitter_id") {
      submitter_id demographics { sex } _demographics_count } }"""
    frame = reader.table(query, {"p": [PROJECT]})
    assert list(frame.columns) == ["submitter_id", "demographics.sex", "_demographics_count"]
    assert frame["submitter_id"].to_list() == ["case-0", "case-1", "case-2"]
    assert str(frame["_demographics_count"].dtype) == "Int64"
    nothing = reader.table(query, {"p": ["none-such"]})
    assert (list(nothing.columns), len(nothing)) == (list(frame.columns), 0)


def test_a_query_that_makes_no_table_is_told(reader: Commons) -> None:
    with pytest.raises(QueryFailed, match="beside one another"):
        reader.table("{ case { id } sample { id } }")


def test_records_come_as_a_table_that_can_be_submitted_again(admin: Commons) -> None:
    cases = admin.records("case", PROJECT)
    assert sorted(cases["submitter_id"]) == ["case-0", "case-1", "case-2"]
    assert set(admin.submit(PROJECT, cases)["action"]) == {"update"}


def test_an_unknown_node_type_is_told_with_those_that_exist(reader: Commons) -> None:
    with pytest.raises(NotFound, match="measurement_file"):
        reader.records("spaceship", PROJECT)


def test_a_release_is_read_in_place_of_the_project_and_compared_with_it(admin: Commons, reader: Commons) -> None:
    frozen = admin.releases(PROJECT).freeze("First")
    admin.submit(PROJECT, {"submitter_id": "case-0", "primary_site": "Breast", "projects.code": "trial"}, "case")
    sites = set(reader.records("case", PROJECT, release=frozen)["primary_site"])
    data = reader.query("{ case { primary_site } }", release=frozen)
    changes = reader.releases(PROJECT).diff(frozen)
    admin.submit(PROJECT, {"submitter_id": "case-0", "primary_site": "Lung", "projects.code": "trial"}, "case")
    assert sites == {each["primary_site"] for each in data["case"]} == {"Lung"}
    [row] = changes[changes["property"] == "primary_site"].to_dict("records")
    assert (row["type"], row["submitter_id"], row["change"]) == ("case", "case-0", "changed")
    assert (row["old"], row["new"]) == ("Lung", "Breast")


def test_releases_show_themselves_as_a_table(admin: Commons) -> None:
    releases = admin.releases(PROJECT)
    frozen = releases.freeze("<b>Second</b>", notes="For a paper.")
    assert releases.frame.iloc[0][["id", "name", "created_by"]].to_list() == [frozen, "<b>Second</b>", "boss"]
    assert releases.details(frozen)["notes"] == "For a paper."
    assert "&lt;b&gt;Second" in releases._repr_html_()


def test_who_may_only_read_freezes_nothing(reader: Commons) -> None:
    with pytest.raises(NotPermitted):
        reader.releases(PROJECT).freeze()
    with pytest.raises(NotFound, match="demo-trial-99"):
        reader.query("{ case { id } }", release="demo-trial-99")


def test_a_dry_run_stores_nothing(admin: Commons) -> None:
    frame = pd.DataFrame({"submitter_id": ["case-x"], "projects.code": ["trial"]})
    assert list(admin.submit(PROJECT, frame, "case", dry_run=True)["valid"]) == [True]
    assert admin.query("{ _case_count }") == {"_case_count": 3}


@pytest.mark.parametrize("dry_run", [True, False])
def test_faults_of_a_table_are_pinned_to_row_and_column(admin: Commons, dry_run: bool) -> None:
    frame = pd.DataFrame(
        {
            "type": "demographic",
            "submitter_id": ["d0", "d1", "d2"],
            "sex": ["female", "martian", "male"],
            "cases.submitter_id": ["case-0", "case-1", "nobody"],
        },
        index=["first", "second", "third"],
    )
    with pytest.raises(SubmissionFailed) as error:
        admin.submit(PROJECT, frame, dry_run=dry_run)
    found = {(fault["row"], fault["column"]) for fault in error.value.faults}
    assert ("second", "sex") in found
    assert admin.query("{ _demographic_count }") == {"_demographic_count": 0}


def test_a_link_to_nothing_is_pinned_to_its_column(admin: Commons) -> None:
    frame = pd.DataFrame({"type": ["demographic"], "submitter_id": ["d"], "cases.submitter_id": ["nobody"]})
    with pytest.raises(SubmissionFailed) as error:
        admin.submit(PROJECT, frame)
    assert [(fault["row"], fault["column"]) for fault in error.value.faults] == [(0, "cases.submitter_id")]


def test_a_check_shows_what_is_wrong_and_what_to_do(admin: Commons) -> None:
    frame = pd.DataFrame(
        {"type": "demographic", "submitter_id": ["d0", "d1"], "sex": ["female", "femal"],
         "cases.submitter_id": ["case-0", "case_2"]}, index=[5, 6],
    )  # fmt: skip
    found = admin.check(PROJECT, frame)
    assert ("Did you mean &#x27;female&#x27;" in found._repr_html_(), found[0]["nearest"][0]) == (True, "female")
    assert not admin.check(PROJECT, frame[:1])
    [lost] = admin.check(PROJECT, frame.assign(sex="female"))
    assert (lost["row"], lost["column"], lost["nearest"][0]) == (6, "cases.submitter_id", "case-2")


def test_what_was_likely_meant_can_be_put_in(admin: Commons) -> None:
    frame = pd.DataFrame({"submitter_id": ["d0", "d1"], "sex": ["femal", "F"]})
    frame["cases.submitter_id"] = ["case_0", "case-1"]
    for fault in admin.check(PROJECT, frame, "demographic"):
        if fault["rule"] in ("enum", "target"):
            frame.loc[fault["row"], fault["column"]] = fault["nearest"][0]
    lost = admin.check(PROJECT, frame, "demographic")
    for fault in lost:
        frame.loc[fault["row"], fault["column"]] = fault["nearest"][0]
    assert list(frame["sex"]) == ["female", "female"]
    assert not admin.check(PROJECT, frame, "demographic")


def test_who_may_not_submit_is_told(reader: Commons) -> None:
    with pytest.raises(NotPermitted, match="whoami"):
        reader.submit(PROJECT, [{"type": "case", "submitter_id": "mine", "projects.code": "trial"}])


def test_files_are_listed_with_their_identifiers(reader: Commons, guid: str) -> None:
    files = reader.files(PROJECT)
    assert files[["object_id", "file_name"]].to_numpy().tolist() == [[guid, "measures.csv"]]


def test_a_file_is_resolved_by_guid_and_address(reader: Commons, guid: str) -> None:
    found = reader.resolve(guid)
    assert (found.name, found.verified) == ("measures.csv", True)
    assert reader.resolve(found.uri) == found


def test_a_file_arrives_verified(reader: Commons, tmp_path: Path) -> None:
    (file,) = reader.download(reader.files(), tmp_path, progress=False)
    assert pd.read_csv(file)["value"].tolist() == [0, 1, 2]
    assert file.checksum


def test_a_broken_download_goes_on_at_the_real_storage(reader: Commons, guid: str, tmp_path: Path) -> None:
    (whole,) = reader.download(guid, tmp_path / "whole", progress=False)
    from commonshub.client.download import Target

    target = Target(reader.resolve(guid), tmp_path / "again" / "measures.csv")
    target.part.parent.mkdir()
    target.part.write_bytes(whole.path.read_bytes()[:7])
    (again,) = reader.download(guid, tmp_path / "again", progress=False)
    assert again.path.read_bytes() == whole.path.read_bytes()


def test_an_address_can_be_read_in_ranges(reader: Commons, guid: str) -> None:
    from commonshub.client.filesystem import DrsFileSystem

    files = DrsFileSystem(reader, skip_instance_cache=True)
    assert files.cat_file(guid, 0, 10) == b"case,value"


def test_an_upload_without_rights_to_a_project_stays_with_its_owner(
    reader: Commons, admin: Commons, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    record = reader.upload(tmp_path / "mine.txt", progress=False, wait_s=120)
    assert record.verified
    (file,) = reader.download(record.guid, tmp_path / "back", progress=False)
    assert file.path.read_text() == "mine"


def wait_for_rows(commons: Commons, doc_type: str, count: int) -> pd.DataFrame:
    def rows() -> list[pd.DataFrame]:
        found = commons.explore(doc_type) if doc_type in commons.document_types() else ()
        return [found] if len(found) >= count else []

    [found] = eventually(rows, 20)
    return found


def test_the_explorer_answers_in_rows(reader: Commons) -> None:
    rows = wait_for_rows(reader, "case", 3)
    assert sorted(rows["submitter_id"]) == ["case-0", "case-1", "case-2"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"first": 2, "sort": "submitter_id"}, ["case-0", "case-1"]),
        ({"first": 2, "offset": 1, "sort": "submitter_id"}, ["case-1", "case-2"]),
        ({"sort": "-submitter_id"}, ["case-2", "case-1", "case-0"]),
        ({"filter": {"submitter_id": "case-1"}}, ["case-1"]),
        ({"filter": {"submitter_id": ["case-1", "case-2"]}, "sort": "submitter_id"}, ["case-1", "case-2"]),
        ({"filter": {"submitter_id": "nobody"}}, []),
    ],
)
def test_the_explorer_filters_and_sorts(reader: Commons, options: dict[str, Any], expected: list[str]) -> None:
    wait_for_rows(reader, "case", 3)
    assert list(reader.explore("case", ["submitter_id"], **options)["submitter_id"]) == expected


def test_the_explorer_counts(reader: Commons) -> None:
    # What other tests changed for a while the index may show for a while.
    wait_for_rows(reader, "case", 3)
    eventually(lambda: reader.count_by("case", "primary_site").to_numpy().tolist() == [["Lung", 3]])


def test_the_download_route_gives_the_same_rows(reader: Commons, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for_rows(reader, "case", 3)
    monkeypatch.setattr("commonshub.client.selection.MAX_WINDOW_ROWS", 1)
    rows = reader.explore("case", ["submitter_id"], sort="submitter_id", offset=1)
    assert list(rows["submitter_id"]) == ["case-1", "case-2"]


@pytest.fixture
def browser(reader: Commons, tmp_path: Path) -> FileBrowser:
    return FileBrowser(reader, folder=str(tmp_path / "data"))


def test_the_browser_shows_projects_and_files(browser: FileBrowser) -> None:
    assert browser.projects.options == (f"{PROJECT}: A <small> Trial",)
    assert [box.description for box in browser.boxes if box.layout.display != "none"] == [
        "measures.csv   ·   38 bytes   ·   CSV Clinical measurements"
    ]
    assert browser.message.value == ""


@pytest.mark.parametrize("text", [PROJECT, f"{PROJECT}: A <small> Trial", ""])
def test_a_project_is_chosen_by_its_name(browser: FileBrowser, text: str) -> None:
    browser.choose_project(None)
    browser.projects.value = text
    assert len(browser.listing.rows) == 1


def test_half_a_name_changes_nothing(browser: FileBrowser) -> None:
    browser.projects.value = "demo-"
    assert (len(browser.listing.rows), browser.message.value) == (1, "")


def test_an_unknown_project_is_told(reader: Commons) -> None:
    assert "no project &#x27;demo-x&#x27;" in FileBrowser(reader, project="demo-x").message.value


def test_ticking_a_file_gives_the_code(browser: FileBrowser, guid: str) -> None:
    browser.boxes[0].value = True
    assert guid in browser.text.value
    assert "1 chosen" in browser.where.value


def test_the_button_downloads_the_choice(browser: FileBrowser, guid: str, tmp_path: Path) -> None:
    browser.select([guid])
    browser.start.click()
    browser.wait(20)
    assert (tmp_path / "data" / "measures.csv").exists()
    assert "verified" in browser.message.value
    assert (browser.bar.value, browser.start.disabled) == (browser.bar.max, False)


def test_the_code_does_what_the_button_does(
    browser: FileBrowser, guid: str, tmp_path: Path, live: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.select_all()
    monkeypatch.setenv("GEN3_API_KEY", str(live.folder / "ruth.json"))
    for name in ("JUPYTERHUB_API_TOKEN", "COMMONSHUB_ORIGIN"):
        monkeypatch.delenv(name, raising=False)
    scope: dict[str, Any] = {}
    exec(browser.code(), scope)
    assert scope["files"].paths == [tmp_path / "data" / "measures.csv"]
    scope["commons"].close()


def test_downloading_nothing_says_what_to_do(browser: FileBrowser) -> None:
    browser.start.click()
    browser.wait(5)
    assert "Choose files first" in browser.message.value


def test_a_filter_without_matches_says_so(browser: FileBrowser) -> None:
    browser.words.value = "nowhere"
    assert "No file matches" in browser.message.value


def test_what_is_not_permitted_is_told_in_the_browser(
    browser: FileBrowser, guid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.select([guid])
    (Path(browser.folder.value)).mkdir()
    (Path(browser.folder.value) / "measures.csv").write_text("mine")
    browser.start.click()
    browser.wait(20)
    assert "exists already" in browser.message.value


def test_the_first_notebook_runs_top_to_bottom(live: Any, admin: Commons, tmp_path: Path) -> None:
    wait_for_rows(admin, "case", 3)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    environ = {**os.environ, "HOME": str(tmp_path), "GEN3_API_KEY": str(live.folder / "boss.json")}
    environ.pop("JUPYTERHUB_API_TOKEN", None)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=environ)
    assert (tmp_path / "data" / "measures.csv").exists()
    text = nbformat.writes(notebook)
    assert "X-Amz-Signature" not in text
    assert "row 0 (case-0)" in text or "Additional properties" in text
