"""The commons as the loader sees it: Gen3's HTTP API, with an API key."""

import json
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from .study import Record

RENEW_BEFORE_S = 60
TIMEOUT_S = 60


class Refused(Exception):
    """The commons refused a request, or cannot be reached; the message says which and why."""


class Client:
    """One user's connection to a commons.

    Parameters
    ----------
    endpoint
        Scheme, host and port of the commons.
    credentials
        What the profile page downloads: ``api_key`` and ``key_id``.
    """

    def __init__(self, endpoint: str, credentials: Mapping[str, str]) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._api_key = credentials["api_key"]
        self._session = requests.Session()
        self._session.mount("http://", HTTPAdapter(pool_maxsize=8))
        self._session.mount("https://", HTTPAdapter(pool_maxsize=8))
        self._renewal = threading.Lock()
        self._renew_at = 0.0

    def call(self, method: str, path: str, body: Any = None, **parameters: Any) -> Any:
        """Send a request and return the JSON of its answer; None for an empty one.

        Raises
        ------
        Refused
            The answer has a status of 400 or more, or there is none.
        """
        return self._send(method, path, body, {"Authorization": f"bearer {self._token()}"}, parameters)

    def _token(self) -> str:
        with self._renewal:
            if time.monotonic() > self._renew_at:
                answer = self._send(
                    "POST", "/user/credentials/api/access_token", {"api_key": self._api_key}, {}, {"expires_in": 1200}
                )
                self._access_token = str(answer["access_token"])
                self._renew_at = time.monotonic() + 1200 - RENEW_BEFORE_S
            return self._access_token

    def _send(
        self, method: str, path: str, body: Any, headers: Mapping[str, str], parameters: Mapping[str, Any]
    ) -> Any:
        try:
            answer = self._session.request(
                method, self.endpoint + path, json=body, headers=dict(headers), params=parameters, timeout=TIMEOUT_S
            )
        except requests.RequestException as error:
            raise Refused(f"{method} {self.endpoint}{path}: no answer ({type(error).__name__}).") from error
        if answer.status_code >= 400:
            raise Refused(f"{method} {path} answered {answer.status_code}: {answer.text[:2000]}")
        return answer.json() if answer.content else None

    # -- programs, projects, records -------------------------------------------

    def username(self) -> str:
        """Name of the user that the key belongs to."""
        return str(self.call("GET", "/user/user")["username"])

    def programs(self) -> set[str]:
        """Names of the programs."""
        return _last_segments(self.call("GET", "/api/v0/submission/"))

    def projects(self, program: str) -> set[str]:
        """Codes of a program's projects."""
        return _last_segments(self.call("GET", f"/api/v0/submission/{program}"))

    def create_program(self, program: Record) -> None:
        """Create a program."""
        self.call("POST", "/api/v0/submission/", program)

    def put_project(self, program: str, project: Record) -> None:
        """Create or update a project."""
        self.call("PUT", f"/api/v0/submission/{program}", project)

    def export(self, program: str, code: str, node: str) -> list[Record]:
        """All records of one node type."""
        path = f"/api/v0/submission/{program}/{code}/export"
        return list(self.call("GET", path, node_label=node, format="json")["data"])

    def submit(self, program: str, code: str, records: Iterable[Record]) -> None:
        """Create or update records, all or none."""
        self.call("PUT", f"/api/v0/submission/{program}/{code}", list(records))

    # -- files -----------------------------------------------------------------

    def find_verified(self, md5: str, size: int) -> str | None:
        """GUID of a data object with these bytes, if one is registered."""
        found = self.call("GET", "/index/index", hash=f"md5:{md5}", size=size, limit=1)["records"]
        return str(found[0]["did"]) if found else None

    def abandoned(self, uploader: str) -> list[Record]:
        """Index records of uploads that `uploader` began and that hold no bytes yet."""
        found = self.call("GET", "/index/index", uploader=uploader, limit=1024)["records"]
        return [record for record in found if record["size"] is None]

    def discard(self, guid: str) -> None:
        """Delete an object and its index record."""
        self.call("DELETE", f"/user/data/{guid}")

    def upload(self, file_name: str, content: bytes) -> str:
        """Store bytes as a new data object by presigned URL; returns its GUID.

        Raises
        ------
        Refused
            The object store did not take the bytes.
        """
        told = self.call("POST", "/user/data/upload", {"file_name": file_name})
        answer = self._session.put(told["url"], data=content, timeout=TIMEOUT_S)
        if answer.status_code >= 400:
            raise Refused(f"The object store answered {answer.status_code} to the upload of {file_name}.")
        return str(told["guid"])

    def documents(self, guids: Iterable[str]) -> list[Record]:
        """Index records by GUID, in one request."""
        return list(self.call("POST", "/index/bulk/documents", list(guids)))


def _last_segments(answer: Mapping[str, Any]) -> set[str]:
    return {str(link).rstrip("/").rpartition("/")[2] for link in answer["links"]}


def read_credentials(text: str) -> dict[str, str]:
    """The content of a credentials file.

    Raises
    ------
    Refused
        It is not the JSON that the profile page downloads.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Refused("The credentials file is not JSON.") from error
    if not isinstance(document, dict) or not isinstance(document.get("api_key"), str):
        raise Refused("The credentials file has no api_key; download a new one from the profile page.")
    return document
