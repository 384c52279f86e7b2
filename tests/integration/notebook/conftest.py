"""The real services behind one origin, with a project, records and a file in it."""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.servers import Router, answering
from tornado import netutil, web

import commonshub.hub.demo
from commonshub.auth.app import AuthApp
from commonshub.auth.commands import keys, users
from commonshub.client import Commons
from commonshub.explore.app import ExploreApp
from commonshub.index.app import IndexApp
from commonshub.query.app import QueryApp
from commonshub.submission.app import SubmissionApp

DEMO = Path(commonshub.hub.demo.__file__).parent
PROJECT = "demo-trial"


@pytest.fixture(scope="module")
def origin() -> Iterator[tuple[str, dict[str, str]]]:
    """Address of the commons, and the routes behind it."""
    routes: dict[str, str] = {}
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    with answering(web.Application([(r"/.*", Router)], routes=routes, log_function=lambda _: None), sockets):
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}", routes


@dataclass
class Live:
    """A running commons of which tests know an administrator and may add users."""

    url: str
    auth: AuthApp
    folder: Path

    def key_file(self, name: str, admin: bool = False) -> Path:
        """A credentials file of a user, who is made where there is none."""
        users.add_user(self.auth, argparse.Namespace(name=name, admin=admin, email=None))
        file = self.folder / f"{name}.json"
        file.write_text(keys.create_key(self.auth, argparse.Namespace(name=name, ttl=None)))
        return file


@pytest.fixture(scope="module")
def live(
    origin: tuple[str, dict[str, str]], run_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Live:
    url, routes = origin
    folder = tmp_path_factory.mktemp("live")
    common = {
        "Commons": {"origin": url, "dictionary": str(DEMO / "dictionary")},
        "TokenSettings": {"jwks_file": str(folder / "jwks.json")},
    }
    auth = run_service(AuthApp, AuthApp={"user_file": str(DEMO / "user.yaml")}, **common)
    settings = {"mapping_file": str(DEMO / "etlMapping.yaml"), "index_dir": str(folder / "explore"), "debounce_s": 0.1}
    others = [
        run_service(app_class, ExploreSettings=settings, **common)
        for app_class in (IndexApp, SubmissionApp, QueryApp, ExploreApp)
    ]
    for running in (auth, *others):
        routes.update(dict.fromkeys(running.app.prefixes, running.url))
    return Live(url, auth.app, folder)


@pytest.fixture(scope="module")
def admin(live: Live) -> Iterator[Commons]:
    """An administrator's client, of a commons with one project: three cases and a verified file."""
    with Commons(api_key=live.key_file("boss", admin=True)) as commons:
        session = commons.session
        program = {"type": "program", "name": "demo", "dbgap_accession_number": "demo"}
        session.request("POST", "/api/v0/submission/", json=program)
        project = {"type": "project", "code": "trial", "name": "A <small> Trial", "dbgap_accession_number": "trial"}
        session.request("PUT", "/api/v0/submission/demo", json=project)
        cases = [{"submitter_id": f"case-{n}", "primary_site": "Lung", "projects.code": "trial"} for n in range(3)]
        commons.submit(PROJECT, cases, "case")
        table = live.folder / "measures.csv"
        table.write_text("case,value\n" + "".join(f"case-{n},{n}\n" for n in range(3)))
        record = commons.upload(table, progress=False, wait_s=120)
        commons.submit(
            PROJECT,
            {
                "type": "measurement_file",
                "submitter_id": "measures",
                "object_id": record.guid,
                "file_name": record.name,
                "file_size": record.size,
                "md5sum": record.hashes["md5"],
                "data_category": "Clinical",
                "data_type": "Clinical measurements",
                "data_format": "CSV",
                "cases.submitter_id": "case-0,case-1,case-2",
            },
        )
        yield commons


@pytest.fixture(scope="module")
def reader(live: Live, admin: Commons) -> Iterator[Commons]:
    """The client of somebody who may read the demo program, as everybody may."""
    with Commons(api_key=live.key_file("ruth")) as commons:
        yield commons


@pytest.fixture(scope="module")
def guid(admin: Commons) -> str:
    """The file's identifier."""
    data = admin.query("{ measurement_file { object_id } }")
    return str(data["measurement_file"][0]["object_id"])


@pytest.fixture(scope="module")
def credentials(live: Live, reader: Commons) -> dict[str, Any]:
    return dict(json.loads((live.folder / "ruth.json").read_text()))
