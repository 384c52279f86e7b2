"""Where credentials are found, and to whom they are sent."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from commonshub.client import NoCredentials
from commonshub.client.credentials import ApiKey, GivenToken, HubToken, find, normal_origin

HERE = "http://127.0.0.1:8000"
ELSEWHERE = "https://elsewhere.org"
WORKSPACE = {"JUPYTERHUB_API_TOKEN": "hub", "COMMONSHUB_ORIGIN": HERE}


def jwt(origin: str) -> str:
    body = json.dumps({"iss": f"{origin}/user", "exp": 2_000_000_000}).encode()
    return f"e30.{base64.urlsafe_b64encode(body).decode().rstrip('=')}.c2ln"


def key_file(path: Path, origin: str = HERE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"api_key": jwt(origin), "key_id": "k"}))
    return path


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the working folder."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


def test_a_workspace_needs_nothing(tmp_path: Path) -> None:
    assert find(environ=WORKSPACE, home=tmp_path) == HubToken(HERE, "hub")


def test_the_hub_token_comes_before_files(tmp_path: Path) -> None:
    file = key_file(tmp_path / "k.json", ELSEWHERE)
    assert isinstance(find(environ={**WORKSPACE, "GEN3_API_KEY": str(file)}, home=tmp_path), HubToken)


@pytest.mark.parametrize("name", ["credentials.json", "credentials"])
def test_a_key_file_is_found_in_the_home_folder(tmp_path: Path, name: str) -> None:
    key_file(tmp_path / ".gen3" / name)
    assert find(environ={}, home=tmp_path).origin == HERE


@pytest.mark.parametrize("named", ["{home}/k.json", "mine", "mine.json"])
def test_the_environment_may_name_the_key_file(tmp_path: Path, named: str) -> None:
    key_file(tmp_path / "k.json", ELSEWHERE)
    key_file(tmp_path / ".gen3" / "mine.json", ELSEWHERE)
    assert find(environ={"GEN3_API_KEY": named.format(home=tmp_path)}, home=tmp_path).origin == ELSEWHERE


def test_the_environment_may_hold_an_access_token(tmp_path: Path) -> None:
    source = find(environ={"GEN3_API_KEY": f"accesstoken:///{jwt(HERE)}"}, home=tmp_path)
    assert source == GivenToken(HERE, jwt(HERE))


@pytest.mark.parametrize("given", ["path", "text", "content"])
def test_an_explicit_key_comes_first(tmp_path: Path, given: str) -> None:
    file = key_file(tmp_path / "k.json", ELSEWHERE)
    forms: dict[str, Any] = {"path": file, "text": str(file), "content": json.loads(file.read_text())}
    assert isinstance(source := find(api_key=forms[given], environ=WORKSPACE, home=tmp_path), ApiKey)
    assert source.origin == ELSEWHERE


def test_the_hub_token_is_never_meant_for_another_commons(tmp_path: Path) -> None:
    with pytest.raises(NoCredentials):
        find(ELSEWHERE, environ=WORKSPACE, home=tmp_path)


def test_a_key_is_never_sent_to_another_commons(tmp_path: Path) -> None:
    with pytest.raises(NoCredentials, match="belongs to"):
        find(ELSEWHERE, api_key=key_file(tmp_path / "k.json"), environ={}, home=tmp_path)


@pytest.mark.parametrize(
    ("environ", "files", "said"),
    [
        ({}, {}, "profile page"),
        ({"GEN3_API_KEY": "/nowhere.json"}, {}, "/nowhere.json"),
        ({}, {".gen3/credentials.json": "not json"}, "not JSON"),
        ({}, {".gen3/credentials.json": "[]"}, "api_key"),
        ({}, {".gen3/credentials.json": '{"api_key": "x"}'}, "not a token"),
        ({"JUPYTERHUB_API_TOKEN": "hub"}, {}, "nothing here to sign in"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, environ: dict[str, str], files: dict[str, str], said: str) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    with pytest.raises(NoCredentials, match=said):
        find(environ=environ, home=tmp_path)


@pytest.mark.parametrize(
    "source",
    [HubToken(HERE, "s3cret"), ApiKey(HERE, "s3cret"), GivenToken(HERE, "s3cret")],
    ids=lambda s: type(s).__name__,
)
def test_credentials_do_not_show_themselves(source: Any) -> None:
    assert "s3cret" not in repr(source)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://Commons.ORG/user/", "https://commons.org"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("https://commons.org:443", "https://commons.org"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_addresses_are_brought_to_one_form(text: str, expected: str) -> None:
    assert normal_origin(text) == expected


@pytest.mark.parametrize("text", ["commons.org", "ftp://commons.org", "file:///etc", "https://"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(NoCredentials):
        normal_origin(text)
