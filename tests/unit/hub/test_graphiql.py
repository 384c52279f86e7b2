"""The query editor's files: only what was looked at is taken, and nothing is left half done."""

import dataclasses
import io
import tarfile
from base64 import b64encode
from hashlib import sha512
from pathlib import Path

import pytest

from commonshub.core.errors import CommonsError
from commonshub.hub import graphiql
from commonshub.hub.graphiql import PACKAGES, Package, take


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "made.tgz"
    with tarfile.open(path, "w:gz") as content:
        for name, text in {
            "package/own.js": b"a; __webpack_require__.nc = undefined;",
            "package/../../evil": b"x",
        }.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            content.addfile(entry, io.BytesIO(text))
    return path


def test_an_archive_that_is_not_the_one_meant_is_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(CommonsError, match=r"react 18\.3\.1 is not what it should be"):
        take(PACKAGES[1], archive, tmp_path)
    assert list(tmp_path.iterdir()) == [archive]


def test_of_an_archive_only_the_named_files_are_taken(archive: Path, tmp_path: Path) -> None:
    checksum = b64encode(sha512(archive.read_bytes()).digest()).decode()
    folder = tmp_path / "taken"
    folder.mkdir()
    take(Package("made", "1", checksum, {"own.js": "here.js"}), archive, folder)
    assert [each.name for each in folder.iterdir()] == ["here.js"]
    assert (folder / "here.js").read_bytes() == b"a; __webpack_require__.nc = document.currentScript.nonce;"


def test_a_failed_fetch_leaves_nothing(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "static" / "graphiql"
    home.parent.mkdir()
    monkeypatch.setattr(graphiql, "home", lambda: home)
    monkeypatch.setattr(graphiql, "PACKAGES", [dataclasses.replace(PACKAGES[0], version="of-no-registry")])
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:1")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(CommonsError, match="npm could not fetch graphiql@of-no-registry"):
        graphiql.install(lambda _: None)
    assert list(home.parent.iterdir()) == []


def test_the_editor_is_where_the_portal_serves_it_and_its_dialogs_obey_the_policy() -> None:
    files = {name for package in PACKAGES for name in package.files.values()}
    folder = graphiql.install()
    assert {each.name for each in folder.iterdir()} == files
    assert b"document.currentScript.nonce" in (folder / "graphiql.js").read_bytes()
