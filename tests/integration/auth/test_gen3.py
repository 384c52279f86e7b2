"""The unmodified Gen3 SDK against the service."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.auth_service import Auth
from tests.conftest import free_port

PORT = free_port()
ORIGIN = f"http://127.0.0.1:{PORT}"


@pytest.fixture(scope="module")
def gen3_auth(auth: Auth, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Gen3Auth with a credentials file, as a user downloads it."""
    with pytest.MonkeyPatch.context() as patch:
        home: Path = tmp_path_factory.mktemp("home")
        patch.setenv("HOME", str(home))
        patch.setenv("GEN3SDK_MAX_RETRIES", "1")
        made = auth.post("/user/credentials/api", "alice").json()
        (home / "credentials.json").write_text(json.dumps(made))
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from gen3.auth import Gen3Auth

            yield Gen3Auth(refresh_file=str(home / "credentials.json"))


def test_gen3auth_signs_in_with_a_credentials_file(gen3_auth: Any) -> None:
    assert gen3_auth.endpoint == ORIGIN
    assert gen3_auth.curl("/user/user").json()["username"] == "alice"


def test_gen3auth_renews_its_token(gen3_auth: Any) -> None:
    assert gen3_auth.refresh_access_token() != ""
    assert requests.get(f"{ORIGIN}/user/user", auth=gen3_auth).json()["username"] == "alice"


def test_gen3file_uploads_downloads_and_deletes(auth: Auth, gen3_auth: Any) -> None:
    from gen3.file import Gen3File

    files = Gen3File(gen3_auth)
    made = files.upload_file("sdk.txt")
    assert requests.put(made["url"], data=b"from the sdk").status_code == 200
    again = files.upload_file_to_guid(made["guid"], "sdk.txt")
    assert requests.put(again["url"], data=b"once more").status_code == 200
    assert files.delete_file(made["guid"]) == ""
    guid = str(uuid.uuid4())
    auth.record(did=guid, urls=[f"s3://commons/{guid}/x"], authz=["/programs/a/projects/one"], file_name="x")
    assert files.get_presigned_url(guid, "s3")["url"].startswith("http")
