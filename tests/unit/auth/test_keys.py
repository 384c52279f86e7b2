"""Key pairs: made once, rotated, withdrawn."""

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
    assert verifies(rotated, rotated.sign({"x": 1}))
    newer.unlink()
    assert not verifies(KeyPairs(*made), rotated.sign({"x": 1}))
    assert not verifies(other, token)


def test_the_public_file_holds_no_private_part(made: tuple[Path, Path]) -> None:
    KeyPairs(*made)
    text = made[1].read_text()
    assert '"kty": "RSA"' in text
    assert not any(f'"{name}":' in text for name in ("d", "p", "q", "dp", "dq", "qi"))


def test_a_file_that_is_no_key_is_named(made: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("not a key")
    with pytest.raises(ValueError, match="PEM"):
        KeyPairs(tmp_path, tmp_path / "jwks.json")
