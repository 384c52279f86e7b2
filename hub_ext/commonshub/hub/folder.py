"""The data folder: what is where, who may read it, and the secrets made at the first start.

Every step can be repeated: a folder that an interrupted start left half made is completed by the next one.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from commonshub.core.errors import CommonsError
from commonshub.core.files import write_whole

from .files import read_json
from .services import SERVICES

CONTENT = ("dictionary", "user.yaml", "etlMapping.yaml", "profiles.yaml")
PORTS = ("hub", "proxy_api", "objects", *SERVICES)


class AlreadyRunning(CommonsError):
    """Another process holds the data folder."""


class DataFolder:
    """All state of one commons."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.secrets = self.path / "secrets"
        self.run = self.path / "run"
        self.logs = self.path / "logs"
        self.hub = self.path / "hub"
        self.workspaces = self.path / "workspaces"
        self.postgres = self.path / "postgres"
        self.objects = self.path / "objects"
        self.state_file = self.run / "state.json"
        self.config_file = self.path / "commonshub_config.py"

    @property
    def initialised(self) -> bool:
        """Whether the secrets have been made."""
        return (self.secrets / "hub.json").exists()

    def create(self) -> None:
        """Make the folders that are missing.

        Raises
        ------
        CommonsError
            The folder belongs to another account, or cannot be made.
        """
        outer = 0o711 if os.geteuid() == 0 else 0o700
        try:
            for folder in (self.path, self.run, self.workspaces):
                folder.mkdir(mode=outer, parents=True, exist_ok=True)
            for folder in (self.secrets, self.logs, self.hub, self.path / "keys", self.path / "explore"):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise CommonsError(f"The data folder {self.path} cannot be made: {error.strerror}.") from error
        if self.path.stat().st_uid != os.geteuid():
            raise CommonsError(
                f"The data folder {self.path} belongs to another account. Start the commons as its owner, "
                "or choose another folder with --data-dir."
            )
        self.path.chmod(outer)
        self.secrets.chmod(0o700)

    def write_content(self) -> list[Path]:
        """Put the editable files in place that are missing; return those that were written."""
        from .template import config_text

        demo = Path(str(files("commonshub.hub") / "demo"))
        written = []
        for name in CONTENT:
            source, target = demo / name, self.path / name
            if target.exists() or not source.exists():
                continue
            fresh = self.run / f"{name}.fresh"
            shutil.rmtree(fresh, ignore_errors=True)
            if source.is_dir():
                shutil.copytree(source, fresh, ignore=shutil.ignore_patterns("__pycache__", "__init__.py"))
            else:
                shutil.copyfile(source, fresh)
            fresh.rename(target)
            written.append(target)
        if not self.config_file.exists():
            write_whole(self.config_file, config_text())
            written.append(self.config_file)
        return written

    def make_secrets(self) -> dict[str, Any]:
        """The generated secrets; what is missing is made, what is there stays."""
        file = self.secrets / "hub.json"
        known = read_json(file)
        tokens = {name: secrets.token_hex(32) for name in (*SERVICES, "culler", "supervisor")}
        passwords = {role: secrets.token_urlsafe(24) for role in ("postgres", "commons")}
        made = {
            "instance": secrets.token_hex(16),
            "cookie_secret": secrets.token_hex(32),
            "proxy_token": secrets.token_hex(32),
            **known,
            "tokens": {**tokens, **known.get("tokens", {})},
            "postgres": {**passwords, **known.get("postgres", {})},
        }
        if made != known:
            write_whole(file, json.dumps(made, indent=1))
        keys = self.secrets / "s3.json"
        if not read_json(keys):
            write_whole(keys, json.dumps({"access_key": secrets.token_hex(10), "secret_key": secrets.token_hex(20)}))
        return made

    def ports(self) -> dict[str, int]:
        """One free port per part on 127.0.0.1, the same as last time where they are still free."""
        earlier = read_json(self.run / "ports.json")
        chosen: dict[str, int] = {}
        with contextlib.ExitStack() as held:
            for name in PORTS:
                chosen[name] = _claim(held, earlier.get(name, 0)) or _claim(held, 0)
        if chosen != earlier:
            write_whole(self.run / "ports.json", json.dumps(chosen))
        return chosen

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder: one `up` at a time. The kernel releases it when the holder ends, however it ends.

        Raises
        ------
        AlreadyRunning
            Another process holds it; the message names its URL.
        """
        with (self.run / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                url = read_json(self.state_file).get("url")
                where = f" at {url}" if url else ""
                raise AlreadyRunning(f"This commons is already running{where} (data folder {self.path}).") from None
            yield

    @property
    def locked(self) -> bool:
        """Whether a supervisor holds the folder now."""
        try:
            with self.lock():
                return False
        except AlreadyRunning:
            return True
        except FileNotFoundError:
            return False


def port_in_use(ip: str, port: int) -> bool:
    """Whether something listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ip, port))
        except OSError:
            return True
    return False


def _claim(held: contextlib.ExitStack, port: int) -> int:
    probe = held.enter_context(socket.socket())
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        return 0
    chosen: int = probe.getsockname()[1]
    return chosen
