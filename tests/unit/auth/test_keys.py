"""Key pairs: made once, rotated, withdrawn."""

import os
import threading
from pathlib import Path

import jwt
import pytest

from commonshub.auth.keys import KeyPairs


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder and the JWKS file of a commons whose service and commands all started at once."""
    folder = tmp_path_factory.mktemp("commons")
    places = folder / "secrets" / "jwt", folder / "keys" / "jwks.json"
    threads = [threading.Thread(target=KeyPairs, args=places) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return places


def verifies(keys: KeyPairs, token: str) -> bool:
    kid = jwt.get_unverified_header(token)["kid"]
    found = [key for key in jwt.PyJWKSet.from_dict(keys.jwks()).keys if key.key_id == kid]
    return bool(found) and jwt.decode(token, found[0].key, ["RS256"]) == {"x": 1}


def test_starting_at_once_makes_one_key(made: tuple[Path, Path]) -> None:
    assert len(list(made[0].glob("*.pem"))) == 1


def test_the_newest_key_signs_and_the_older_still_verifies(made: tuple[Path, Path], tmp_path: Path) -> None:
    earlier = KeyPairs(*made)
    token = earlier.sign({"x": 1})
    other = KeyPairs(tmp_path / "other", tmp_path / "jwks.json")
    [file] = (tmp_path / "other").glob("*.pem")
    newer = made[0] / "99990101T000000Z-new.pem"
    newer.write_bytes(file.read_bytes())
    rotated = KeyPairs(*made)
    assert rotated.kid == newer.stem
    assert verifies(rotated, token)
    withdrawn = rotated.sign({"x": 1})
    assert verifies(rotated, withdrawn)
    newer.unlink()
    assert not verifies(KeyPairs(*made), withdrawn)
    assert not verifies(other, token)


def test_a_running_service_signs_with_a_key_that_was_added_and_drops_one_that_was_deleted(tmp_path: Path) -> None:
    running, command = (KeyPairs(tmp_path / "jwt", tmp_path / "jwks.json") for _ in range(2))
    first, token = running.kid, running.sign({"x": 1})
    command.rotate()
    rotated = running.sign({"x": 1})
    assert jwt.get_unverified_header(rotated)["kid"] == command.kid != first
    assert verifies(running, token)
    (tmp_path / "jwt" / f"{first}.pem").unlink()
    running.refresh()
    assert not verifies(running, token)
    assert first not in (tmp_path / "jwks.json").read_text()


def test_rotations_within_a_second_are_in_order_and_end_what_was_replaced_long_enough_ago(tmp_path: Path) -> None:
    keys = KeyPairs(tmp_path / "jwt", tmp_path / "jwks.json")
    made = [keys.kid]
    for _ in range(3):
        assert keys.rotate(retire_after_s=3600) == []
        made.append(keys.kid)
    assert made == sorted(made)
    assert keys.rotate(retire_after_s=0) == made[::-1]
    assert [key["kid"] for key in keys.jwks()["keys"]] == [keys.kid]


def test_a_key_whose_successor_has_a_name_of_the_operators_is_never_retired(tmp_path: Path) -> None:
    keys = KeyPairs(tmp_path / "jwt", tmp_path / "jwks.json")
    (tmp_path / "jwt" / f"{keys.kid}.pem").rename(tmp_path / "jwt" / "mine.pem")
    keys.refresh()
    assert keys.kid == "mine"
    assert keys.rotate(retire_after_s=0) == ["mine"]


def test_a_folder_that_has_not_changed_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = KeyPairs(tmp_path / "jwt", tmp_path / "jwks.json")
    os.utime(tmp_path / "jwt", (1, 1))
    keys.refresh()
    monkeypatch.setattr(Path, "glob", None)
    keys.sign({"x": 1})


def test_public_keys_that_somebody_deleted_are_published_again(tmp_path: Path) -> None:
    keys = KeyPairs(tmp_path / "jwt", tmp_path / "jwks.json")
    os.utime(tmp_path / "jwt", (1, 1))
    keys.refresh()
    (tmp_path / "jwks.json").unlink()
    keys.refresh()
    assert keys.kid in (tmp_path / "jwks.json").read_text()


def test_a_faulty_file_does_not_stop_a_running_service(tmp_path: Path) -> None:
    keys = KeyPairs(tmp_path / "jwt", tmp_path / "jwks.json")
    earlier = keys.kid
    (tmp_path / "jwt" / "9.pem").write_text("half a k")
    assert verifies(keys, keys.sign({"x": 1}))
    assert keys.kid == earlier


def test_the_public_file_holds_no_private_part(made: tuple[Path, Path]) -> None:
    KeyPairs(*made)
    text = made[1].read_text()
    assert '"kty": "RSA"' in text
    assert not any(f'"{name}":' in text for name in ("d", "p", "q", "dp", "dq", "qi"))


def test_a_file_that_is_no_key_is_named(made: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("not a key")
    with pytest.raises(ValueError, match="PEM"):
        KeyPairs(tmp_path, tmp_path / "jwks.json")
