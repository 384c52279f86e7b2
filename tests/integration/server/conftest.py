"""A real Jupyter server with the extension, and a door that hands out keys as the auth service does."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_jupyter.jupyter_core import *  # noqa: F403  these fixtures and hooks are wanted in this folder only
from pytest_jupyter.jupyter_server import *  # noqa: F403
from tests.servers import answering
from tornado import netutil, web

HUB_TOKEN = "hub-token-5f2a"


@dataclass
class Door:
    """The exchange of an auth service over real HTTP: what it was asked, and what it answers."""

    url: str = ""
    life_s: float = 3600
    status: int = 200
    asked: list[str] = field(default_factory=list)

    def key(self) -> dict[str, str]:
        claims = {"iss": f"{self.url}/user", "pur": "api_key", "iat": time.time(), "exp": time.time() + self.life_s}
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        return {"api_key": f"e30.{body}.c2ln", "key_id": f"key-{len(self.asked)}"}


class ExchangeHandler(web.RequestHandler):
    def post(self) -> None:
        door: Door = self.application.settings["door"]
        door.asked.append(self.request.headers.get("Authorization", ""))
        self.set_status(door.status)
        self.finish(door.key() if door.status == 200 else {"message": "not now"})


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    door.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    with answering(web.Application([("/user/credentials/hub/api_key", ExchangeHandler)], door=door), sockets):
        yield door


@pytest.fixture
def start_server(
    jp_configurable_serverapp: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, jp_environ: None
) -> Iterator[Callable[..., Any]]:
    """Start a Jupyter server as a hub would: ``await start_server(COMMONSHUB_ORIGIN=…)``."""
    started: list[Any] = []

    async def start(config: dict[str, Any] | None = None, **environ: str) -> Any:
        for name in (
            "COMMONSHUB_ORIGIN",
            "JUPYTERHUB_API_TOKEN",
            "GEN3_API_KEY",
            "GEN3_ENDPOINT",
            "JUPYTERHUB_SERVER_NAME",
        ):
            monkeypatch.delenv(name, raising=False)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        settings = {
            "ServerApp": {"jpserver_extensions": {"commonshub.server": True}},
            "WorkspaceExtension": config or {},
        }
        app = jp_configurable_serverapp(config=settings)
        await app.extension_manager.start_all_extensions()
        started.append(app)
        return app

    yield start
    # The extension sets these for kernels, so they are in the test's own environment.
    for name in ("GEN3_API_KEY", "GEN3_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
