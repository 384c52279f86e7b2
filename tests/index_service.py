"""A running index with one user of each kind, for the tests that drive it over HTTP."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from tests.drs_schema import held

from commonshub.core.policy import Binding, Permission, Policy, Snapshot, User
from commonshub.index.app import IndexApp

Ask = Callable[..., requests.Response]

PROJECT = "/programs/p/projects/q"
ADMINISTERED = ("programs", "services", "data_file", "mds_gateway")


def policies() -> Snapshot:
    """``admin`` may do everything in the index, ``member`` works in one project, ``uploader`` only uploads."""
    every = frozenset({Permission("*", "*")})
    return Snapshot(
        policies={
            "admin": Policy("admin", every, frozenset({(name,) for name in ADMINISTERED})),
            "member": Policy("member", every, frozenset({("programs", "p", "projects", "q")})),
            "upload": Policy(
                "upload",
                frozenset(Permission(service, "file_upload") for service in ("indexd", "fence")),
                frozenset({("data_file",)}),
            ),
            "open": Policy("open", frozenset({Permission("fence", "read-storage")}), frozenset({("open",)})),
        },
        groups={"anonymous": ("open",)},
        users={
            name: User(policies=(Binding(policy),))
            for name, policy in {"admin": "admin", "member": "member", "uploader": "upload"}.items()
        },
    )


def start(run_service: Callable[..., Any], **settings: dict[str, Any]) -> Any:
    """An index on the module's database, with those policies."""
    service = run_service(IndexApp, BlobSettings={"retry_s": 0.1}, **settings)
    service.hold(policies())
    return service


@pytest.fixture(scope="module")
def running(run_service: Callable[..., Any]) -> Any:
    return start(run_service)


@pytest.fixture(scope="module")
def url(running: Any) -> str:
    return str(running.url)


@pytest.fixture(scope="module")
def ask(url: str, token: Callable[..., str]) -> Iterator[Ask]:
    """``ask("POST", "/index/index", json={…})``, by an administrator."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"bearer {token('admin')}"

        def send(method: str, path: str, **options: Any) -> requests.Response:
            return held(session.request(method, url + path, timeout=60, **options))

        yield send


def body(**values: Any) -> dict[str, Any]:
    return {"form": "object", "size": 1, "urls": [], "hashes": {"md5": uuid.uuid4().hex}, **values}


def make(ask: Ask, **values: Any) -> dict[str, Any]:
    answer = ask("POST", "/index/index", json=body(**values))
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = ask("GET", f"/index/index/{answer.json()['did']}").json()
    return document


def label(value: Any) -> str:
    return str(value)[:30].encode("unicode_escape").decode()
