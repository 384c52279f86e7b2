"""The parts of an embedded commons, composed from its data folder and its configuration."""

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from commonshub.core.errors import CommonsError
from commonshub.core.files import write_whole
from commonshub.core.settings import Commons, StorageSettings

from . import memory, objectstore, postgres, proxy
from .accounts import Accounts, give, launcher
from .configuration import BASE_URL, load
from .files import read_json
from .folder import DataFolder, port_in_use
from .processes import INSTANCE_VARIABLE, marked, stop
from .services import HubSettings
from .supervisor import Part, Supervisor, answers, listens, post

HUB_CONFIG = """\
from commonshub.hub import configure

configure(c)  # noqa: F821
"""


class Embedded:
    """One commons on this machine.

    Parameters
    ----------
    folder
        Its data folder, created.
    port
        Public port on 127.0.0.1.
    """

    def __init__(self, folder: DataFolder, port: int) -> None:
        self.folder = folder
        self.port = port
        self.secrets = folder.make_secrets()
        self.keys = read_json(folder.secrets / "s3.json")
        self._forget_earlier()
        config = load(folder.path)
        self.own_database = "url" not in config.get("DatabaseSettings", {})
        self.own_storage = not {"endpoint_url", "credentials_file"} & set(config.get("StorageSettings", {}))
        if config.get("JupyterHub", {}).get("subdomain_host"):
            raise CommonsError(
                "c.JupyterHub.subdomain_host needs a hub and a proxy of your own; `commonshub up` serves one host only."
            )
        self.origin = config.get("Commons", {}).get("origin") or f"http://127.0.0.1:{port}"
        self.settings = HubSettings(config=config)
        self.dictionary = Commons(config=config).dictionary
        self.bucket = StorageSettings(config=config).upload_bucket
        self.accounts = Accounts(folder.hub / "accounts.json", self.settings.first_uid)

    def compose(self) -> Supervisor:
        """A supervisor with all parts, and the files that they read at their start.

        To be called while the data folder is locked and nothing of an earlier run is left.
        """
        self.ports = self.folder.ports()
        parts = [self._database()] if self.own_database else []
        parts += [self._storage()] if self.own_storage else []
        parts += [self._proxy(), self._hub()]
        self._write_embedded()
        services = [*self.settings.managed_services, *(["culler"] if self.settings.cull_idle_s else [])]
        return Supervisor(self.folder, self.secrets["instance"], parts, self.origin + "/portal/", services)

    def leftovers(self) -> Supervisor:
        """A supervisor that knows how each part is stopped, for :meth:`Supervisor.replace_leftovers`."""
        signals = {"postgres": signal.SIGINT}
        parts = [
            Part(name, list, {}, stop_signal=signals.get(name, signal.SIGTERM), grace_s=20)
            for name in ("postgres", "objects", "proxy", "hub")
        ]
        return Supervisor(self.folder, self.secrets["instance"], parts, "")

    def check_port(self) -> None:
        """Refuse a port that something else listens on.

        Raises
        ------
        CommonsError
            It does.
        """
        if port_in_use("127.0.0.1", self.port):
            raise CommonsError(
                f"Port {self.port} is in use by another program. Stop that, or choose another port: "
                f"commonshub up --port {self.port + 1}"
            )

    def service_urls(self) -> dict[str, str]:
        """Where each managed service answers its health check, without the proxy."""
        return {name: f"http://127.0.0.1:{self.ports[name]}/_status" for name in self.settings.managed_services}

    def environment(self) -> dict[str, str]:
        """Variables of the hub, and of the commands that the supervisor runs beside it."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JUPYTERHUB_", "COMMONSHUB_", "CONFIGPROXY_"))
        }
        path = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)])
        direct = ",".join(filter(None, [inherited.get("no_proxy", ""), "127.0.0.1", "localhost"]))
        return {
            **inherited,
            "PATH": path,
            "no_proxy": direct,
            "NO_PROXY": direct,
            "COMMONSHUB_DATA_DIR": str(self.folder.path),
            INSTANCE_VARIABLE: self.secrets["instance"],
            **memory.ENVIRONMENT,
        }

    def _forget_earlier(self) -> None:
        # What an earlier run wrote must not look like the operator's own choice of a database or store.
        (self.folder.run / "embedded.json").unlink(missing_ok=True)

    def _write_embedded(self) -> None:
        values: dict[str, Any] = {"Commons": {"origin": self.origin, "hub_api_url": self._hub_url("/hub/api")}}
        if self.own_database:
            values["DatabaseSettings"] = {"url": self.database.url()}
        if self.own_storage:
            keys = str(self.folder.secrets / "s3.json")
            values["StorageSettings"] = {"endpoint_url": self.store.url, "credentials_file": keys}
        write_whole(self.folder.run / "embedded.json", json.dumps(values, indent=1))
        write_whole(self.folder.run / "jupyterhub_config.py", HUB_CONFIG)

    def _database(self) -> Part:
        folder = self.folder.postgres
        account = self.accounts.part("postgres", str(folder))
        give(folder, account)
        sockets = self._sockets()
        give(sockets, account)
        wrap = launcher(account, writable=[folder, sockets], hidden=[self.folder.path])
        self.database = postgres.Postgres(folder, sockets, self.secrets["postgres"], wrap)
        return Part(
            "postgres",
            self.database.command,
            {**postgres.environment(), INSTANCE_VARIABLE: self.secrets["instance"]},
            url=f"unix:{sockets / postgres.SOCKET_NAME}",
            folder=folder,
            ready=self.database.ready,
            before=lambda: _ignore(self.database.initialise()),
            after=self.database.create_database,
            stop_signal=signal.SIGINT,
            grace_s=30,
        )

    def _sockets(self) -> Path:
        file = self.folder.run / "sockets.json"
        earlier = read_json(file).get("path")
        if (
            earlier
            and Path(earlier).is_dir()
            and Path(earlier).stat().st_uid in (os.geteuid(), self.settings.first_uid)
        ):
            return Path(earlier)
        chosen = postgres.socket_folder(self.folder.run / "postgres")
        write_whole(file, json.dumps({"path": str(chosen)}))
        return chosen

    def remove_sockets(self) -> None:
        """Remove the socket's folder where it is outside the data folder."""
        file = self.folder.run / "sockets.json"
        path = read_json(file).get("path")
        if path and not Path(path).is_relative_to(self.folder.path):
            shutil.rmtree(path, ignore_errors=True)
            file.unlink()

    def _storage(self) -> Part:
        folder = self.folder.objects
        account = self.accounts.part("objects", str(folder))
        give(folder, account)
        program = Path(objectstore.binary()).resolve()
        wrap = launcher(account, writable=[folder], readable=[program], hidden=[self.folder.path])
        port = self.ports["objects"]
        self.store = objectstore.ObjectStore(folder, port, self.keys, self.origin, wrap)
        return Part(
            "objects",
            self.store.command,
            {**self.store.environment(), INSTANCE_VARIABLE: self.secrets["instance"]},
            url=self.store.url,
            folder=folder,
            ready=lambda: listens(port),
            before=lambda: self.store.create_bucket(self.bucket),
        )

    def _proxy(self) -> Part:
        folder = self.folder.run / "proxy"
        account = self.accounts.part("proxy", str(folder))
        give(folder, account)
        error_url = self._hub_url("/hub/error")
        readable = [Path(proxy.node()).resolve().parents[1], proxy.install().parents[1]]
        # Only root may listen on a port below 1024.
        low = self.port < 1024
        wrap = list if low else launcher(account, writable=[folder], readable=readable, hidden=[self.folder.path])
        http = proxy.HttpProxy(
            "127.0.0.1", self.port, self.ports["proxy_api"], self.secrets["proxy_token"], error_url, wrap
        )
        return Part(
            "proxy",
            http.command,
            {**http.environment(), INSTANCE_VARIABLE: self.secrets["instance"]},
            url=self.origin,
            folder=folder,
            ready=http.ready,
            after=lambda: self._restore_routes(http),
        )

    def _restore_routes(self, http: proxy.HttpProxy) -> None:
        http.add_routes(self.settings.routes(self.ports))
        if answers(self._hub_url("/hub/health")):
            post(self._hub_url("/hub/api/proxy"), self.secrets["tokens"]["supervisor"])

    def _hub(self) -> Part:
        command = [
            sys.executable,
            "-P",
            "-m",
            "commonshub.hub.app",
            "-f",
            str(self.folder.run / "jupyterhub_config.py"),
        ]
        return Part(
            "hub",
            lambda: command,
            self.environment(),
            url=self.origin + BASE_URL,
            folder=self.folder.hub,
            ready=lambda: answers(self._hub_url("/hub/health")),
            after=self._stop_orphans,
            grace_s=20,
        )

    def _stop_orphans(self) -> None:
        # A service makes way for its successor by itself; the culler of a killed hub does not.
        cullers = [each.handle for each in marked(self.secrets["instance"]) if each.service == "culler"]
        stop(sorted(cullers, key=lambda handle: int(handle.started))[:-1], signal.SIGTERM, 5)

    def _hub_url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.ports['hub']}{BASE_URL.rstrip('/')}{path}"


def _ignore(_: object) -> None:
    return
