"""The settings of other commons, and the vault of their tokens."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from commonshub.auth.wts.connections import _expiry
from commonshub.auth.wts.external import parse_commons
from commonshub.auth.wts.vault import Unreadable, Vault
from commonshub.core.errors import BadRequest

GOOD = {"base_url": "https://other.example", "client_id": "c"}


def test_a_commons_needs_an_address_and_our_name_there() -> None:
    [found] = parse_commons({"other": {**GOOD, "base_url": "https://other.example/", "scopes": ["user"]}}).values()
    assert (found.base_url, found.issuer, found.label) == (
        "https://other.example",
        "https://other.example/user",
        "other",
    )
    assert found.scopes == ("openid", "user")
    assert found.secret == ""


@pytest.mark.parametrize(
    ("idp", "values", "message"),
    [
        ("default", GOOD, "none of default, local"),
        ("a b", GOOD, "the name must be of"),
        ("x", [], "must be a map"),
        ("x", {"base_url": "https://o"}, "needs the setting 'client_id'"),
        ("x", {"client_id": "c"}, "needs the setting 'base_url'"),
        ("x", {**GOOD, "secret": "s"}, "has no setting 'secret'"),
        ("x", {**GOOD, "client_id": 1}, r"\['client_id'\] has a value of the wrong kind"),
        ("x", {**GOOD, "scopes": "user"}, r"\['scopes'\] has a value of the wrong kind"),
        ("x", {**GOOD, "base_url": "http://other.example"}, "is not an https address"),
        ("x", {**GOOD, "base_url": "https://u:p@other.example"}, "is not an https address"),
        ("x", {**GOOD, "base_url": "ftp://other.example"}, "is not an https address"),
        ("x", {**GOOD, "base_url": "https://[::1"}, r"\['base_url'\].* is not an https address"),
        ("x", {**GOOD, "base_url": "https://other.example/path"}, "scheme, host and port only"),
        ("x", {**GOOD, "client_secret_file": "/no/such/file"}, "there is no file"),
    ],
)
def test_a_faulty_setting_is_named(idp: str, values: Any, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        parse_commons({idp: values})


def test_a_vault_opens_what_one_of_its_keys_sealed(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "keys"
    vault = Vault(file)
    sealed = vault.seal("token")
    assert "token" not in sealed
    assert Vault(file).open(sealed) == "token"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["keys"]
    file.write_text(f"{Fernet.generate_key().decode()}\n{file.read_text()}")
    assert vault.open(sealed) == "token"
    file.write_bytes(Fernet.generate_key())
    for text in (sealed, "", "x"):
        with pytest.raises(Unreadable):
            vault.open(text)


@pytest.mark.parametrize(
    "token", ["", "a", "a.b", "a.e30.c", "a.bnVsbA.c", "a.eyJleHAiOiJ4In0.c", "a.eyJleHAiOjFlOTk5fQ.c", "a.!!.c"]
)
def test_the_end_of_a_strange_token_is_unknown(token: str) -> None:
    assert _expiry(token) is None
