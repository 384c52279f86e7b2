"""A whole commons behind a real nginx, whose users sign in by a real OpenID provider."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.conftest import free_port, wait_for_port
from tests.openid_service import Browser, Provider, secret_file
from tests.servers import answering
from tornado import httputil, netutil, web, websocket

from commonshub.hub.folder import DataFolder
from commonshub.hub.proxy import HttpProxy

COMMAND = [sys.executable, "-P", "-m", "commonshub.hub.cli"]
CONFIG = """
c.Commons.max_body_bytes = c.Commons.max_table_bytes = 2**20
c.HubSettings.managed_services = ["auth", "portal"]
c.HubSettings.external_services = {{"explore": "{echo}"}}
c.SignInSettings.providers = {{
    "test": {{
        "issuer": "{issuer}", "client_id": "commons", "client_secret_file": "{secret}", "title": "Test University",
        "description": "staff and students", "groups_claim": "groups",
    }},
    "away": {{"issuer": "http://127.0.0.1:1", "client_id": "commons", "title": "Institute Far Away"}},
}}
c.RemoteUserAuthenticator.auth_refresh_age = 1
"""
BEHIND_NGINX = """
c.Commons.origin = "{origin}"
c.RemoteUserAuthenticator.trust = "assertion"
"""
# nginx's own configuration around ours, in a folder of its own and as one process.
MAIN = """
daemon off;
user root;
pid nginx.pid;
error_log error.log warn;
events {}
http {
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
    include commons.conf;
}
"""


class Echo(web.RequestHandler):
    """Tells what it was sent, and answers with the headers that the query asks for: a workspace can do as much."""

    def prepare(self) -> None:
        for name, value in self.request.query_arguments.items():
            self.set_header(name, value[-1].decode())
        self.finish({"path": self.request.path, "headers": list(self.request.headers.get_all())})

    def check_xsrf_cookie(self) -> None:
        """It takes what comes."""


class EchoSocket(websocket.WebSocketHandler):
    """Sends back what it is sent, as a kernel's channel would."""

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)


class Front:
    """The commons as browsers see it (`origin`), and as its own machine does (`inner`, the proxy; `hub`)."""

    def __init__(self, folder: Path, provider: Provider, origin: str, inner: str) -> None:
        self.folder = folder
        self.provider = provider
        self.origin = origin
        self.inner = inner
        ports = json.loads((folder / "run" / "ports.json").read_text())
        self.hub = f"http://127.0.0.1:{ports['hub']}"
        self.auth = f"http://127.0.0.1:{ports['auth']}"
        self._proxy_api = ports["proxy_api"]

    def browser(self) -> Browser:
        return Browser(self.origin)

    def log(self, name: str) -> str:
        return (self.folder / "logs" / f"{name}.log").read_text()

    def execute(self, statement: sa.Executable) -> None:
        """Change something in the commons' database."""
        engine = sa.create_engine(
            json.loads((self.folder / "run" / "embedded.json").read_text())["DatabaseSettings"]["url"]
        )
        with engine.begin() as connection:
            connection.execute(statement)
        engine.dispose()

    def route(self, prefix: str, target: str) -> None:
        """Let the commons' own proxy send what is below a path somewhere."""
        token = DataFolder(self.folder).make_secrets()["proxy_token"]
        HttpProxy("127.0.0.1", 0, self._proxy_api, token, "").add_routes({prefix: target})


@pytest.fixture(scope="session")
def nginx() -> str:
    """nginx's program; where there is none these tests are skipped, except in CI."""
    program = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("nginx is missing; scripts/test installs it")
        pytest.skip("nginx is not installed")
    return program


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    with answering(web.Application([(r"/.*/socket", EchoSocket), (r"/.*", Echo)]), sockets):
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}"


@contextmanager
def commons_up(folder: Path, config: str, port: int) -> Iterator[Callable[..., str]]:
    """A commons that is up, and how to run its commands."""

    def run(*arguments: str) -> str:
        command = [*COMMAND, *arguments, "--data-dir", str(folder / "commons")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    run("init")
    with (folder / "commons" / "commonshub_config.py").open("a") as file:
        file.write(config)
    try:
        (folder / "up").write_text(run("up", "--detach", "--empty", "--port", str(port)))
        yield run
    finally:
        run("down")


@pytest.fixture(scope="module")
def front(
    nginx: str,
    echo: str,
    start_provider: Callable[[str], Provider],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("front")
    port, inner = free_port(), free_port()
    origin = f"http://127.0.0.1:{port}"
    provider = start_provider(origin)
    config = CONFIG.format(echo=echo, issuer=provider.issuer, secret=secret_file(folder))
    (folder / "temp").mkdir()
    (folder / "nginx.conf").write_text(MAIN)
    with commons_up(folder, config + BEHIND_NGINX.format(origin=origin), inner) as run:
        log = str(folder / "access.log")
        addresses = ["--listen", f"127.0.0.1:{port}", "--upstream", f"127.0.0.1:{inner}"]
        text = run("nginx-config", "--server-name", "127.0.0.1", *addresses, "--access-log", log)
        (folder / "commons.conf").write_text(text)
        with (folder / "stderr").open("wb") as errors:
            process = subprocess.Popen([nginx, "-p", str(folder), "-c", "nginx.conf"], stderr=errors)
        try:
            wait_for_port(port)
            yield Front(folder / "commons", provider, origin, f"http://127.0.0.1:{inner}")
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def bare(
    echo: str, start_provider: Callable[[str], Provider], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """The same commons with nothing in front: a provider is all that was configured."""
    folder = tmp_path_factory.mktemp("bare")
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    provider = start_provider(origin)
    config = CONFIG.format(echo=echo, issuer=provider.issuer, secret=secret_file(folder))
    with commons_up(folder, config, port):
        yield Front(folder / "commons", provider, origin, origin)


def headers_of(answer: requests.Response) -> httputil.HTTPHeaders:
    """What the server behind was sent, as it told."""
    told: Any = answer.json()["headers"]
    headers = httputil.HTTPHeaders()
    for name, value in told:
        headers.add(name, value)
    return headers
