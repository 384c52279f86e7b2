"""What a CommonsHub adds to JupyterHub's configuration.

A ``jupyterhub_config.py`` needs two lines::

    from commonshub.hub import configure
    configure(c)

Everything set here can be overridden afterwards, or in ``commonshub_config.py``, which is read last.

The supervisor reads this module too, and needs nothing of JupyterHub; what does is imported where only the hub comes.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from traitlets.config import Config
from traitlets.config.loader import JSONFileConfigLoader, PyFileConfigLoader

from commonshub.core.errors import CommonsError
from commonshub.core.settings import Commons
from commonshub.core.signin import SignInSettings

from . import memory
from .files import read_json
from .folder import DataFolder
from .processes import INSTANCE_VARIABLE
from .services import HubSettings

BASE_URL = "/jupyter/"

# Public paths of the services that send browsers through the hub's sign-in.
OAUTH_CALLBACKS = {"portal": "/portal/oauth_callback", "auth": "/user/oauth_callback"}

# What a browser's or a workspace's token may do besides identifying its user: be exchanged at the auth service.
EXCHANGE_SCOPE = "access:services!service=auth"


def load(data_dir: str | Path | None = None) -> Config:
    """Configuration of the commons: ``run/embedded.json``, then ``commonshub_config.py``.

    Raises
    ------
    CommonsError
        ``commonshub_config.py`` failed; the message names the line.
    """
    folder = DataFolder(data_dir or Commons().data_dir)
    config = Config()
    if (folder.run / "embedded.json").exists():
        config.merge(JSONFileConfigLoader("embedded.json", path=str(folder.run)).load_config())
    if folder.config_file.exists():
        config.merge(_read(folder.config_file))
    config.Commons.data_dir = str(folder.path)
    return config


def _read(file: Path) -> Config:
    try:
        return PyFileConfigLoader(file.name, path=str(file.parent)).load_config()
    except Exception as error:
        # The file is the operator's program, which may fail in any way.
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        raise CommonsError(f"{file}, line {line}: {type(error).__name__}: {error}") from error


def configure(c: Any, data_dir: str | Path | None = None) -> None:
    """Make a JupyterHub the centre of a commons.

    Parameters
    ----------
    c
        The configuration object of ``jupyterhub_config.py``.
    data_dir
        Data folder; default: ``COMMONSHUB_DATA_DIR``, or ``.commons`` in the working folder.
    """
    config = load(data_dir)
    commons = Commons(config=config)
    settings = HubSettings(config=config)
    folder = DataFolder(commons.path)
    folder.create()
    secrets = folder.make_secrets()
    supervised = os.environ.get(INSTANCE_VARIABLE) == secrets["instance"]
    ports = read_json(folder.run / "ports.json") if supervised else folder.ports()
    _configure_hub(c, commons, folder, secrets)
    if supervised:
        _configure_supervised(c, secrets, ports)
    c.Proxy.extra_routes = routes(settings, config, ports)
    c.JupyterHub.services = _services(settings, folder, secrets, ports)
    _configure_rights(c, settings)
    _configure_endings(c, settings, secrets, ports)
    _configure_sign_in(c, folder, SignInSettings(config=config), settings.targets(ports).get("auth", ""))
    _configure_workspaces(c, commons, settings, folder, secrets)
    # The hub needs neither; what it does not know cannot be shown by its pages or logs.
    config.pop("DatabaseSettings", None)
    config.pop("StorageSettings", None)
    c.merge(config)


def routes(settings: HubSettings, config: Config, ports: dict[str, int]) -> dict[str, str]:
    """The proxy's routes to the services; with the hub's host in front where workspaces have hosts of their own."""
    host = urlsplit(config.get("JupyterHub", {}).get("subdomain_host") or "").hostname or ""
    return {host + prefix: target for prefix, target in settings.routes(ports).items()}


def _configure_hub(c: Any, commons: Commons, folder: DataFolder, secrets: dict[str, Any]) -> None:
    from .reauthentication import HANDLERS

    c.JupyterHub.base_url = BASE_URL
    c.JupyterHub.bind_url = commons.origin + BASE_URL
    c.JupyterHub.db_url = f"sqlite:///{folder.hub / 'jupyterhub.sqlite'}"
    c.JupyterHub.cookie_secret = bytes.fromhex(secrets["cookie_secret"])
    c.JupyterHub.log_level = "INFO"
    c.JupyterHub.extra_handlers = HANDLERS


def _configure_supervised(c: Any, secrets: dict[str, Any], ports: dict[str, int]) -> None:
    c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{ports['hub']}"
    # A restarted hub finds the workspaces again; `commonshub down` stops them itself.
    c.JupyterHub.cleanup_servers = False
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{ports['proxy_api']}"
    c.ConfigurableHTTPProxy.auth_token = secrets["proxy_token"]


def _services(
    settings: HubSettings, folder: DataFolder, secrets: dict[str, Any], ports: dict[str, int]
) -> list[dict[str, Any]]:
    environment = {
        "COMMONSHUB_DATA_DIR": str(folder.path),
        INSTANCE_VARIABLE: secrets["instance"],
        **memory.ENVIRONMENT,
    }
    declared: list[dict[str, Any]] = []
    for name, target in settings.targets(ports).items():
        service = {"name": name, "url": target, "api_token": secrets["tokens"][name], "display": False}
        if name in OAUTH_CALLBACKS:
            service |= {
                "oauth_redirect_uri": OAUTH_CALLBACKS[name],
                "oauth_no_confirm": True,
                "oauth_client_allowed_scopes": [EXCHANGE_SCOPE],
            }
        if name not in settings.external_services:
            command = [sys.executable, "-P", "-m", f"commonshub.{name}"]
            service |= {
                "command": logged(folder.logs / f"{name}.log", command),
                "environment": environment,
                "timeout": settings.service_timeout_s,
            }
        declared.append(service)
    declared.append({"name": "supervisor", "api_token": secrets["tokens"]["supervisor"]})
    if settings.cull_idle_s:
        command = [sys.executable, "-P", "-m", "jupyterhub_idle_culler", f"--timeout={settings.cull_idle_s}"]
        declared.append(
            {
                "name": "culler",
                "api_token": secrets["tokens"]["culler"],
                "command": logged(folder.logs / "culler.log", command),
                "environment": environment,
            }
        )
    return declared


def logged(log: Path, command: Sequence[str]) -> list[str]:
    """The command with its output in a file; the shell becomes the command, so the process is the command's own."""
    return ["/bin/sh", "-c", 'log=$1; shift; exec "$@" >>"$log" 2>&1', "sh", str(log), *command]


def _configure_rights(c: Any, settings: HubSettings) -> None:
    c.JupyterHub.extra_user_scopes = [EXCHANGE_SCOPE, "access:services!service=portal"]
    roles = [{"name": "commons-supervisor", "scopes": ["proxy"], "services": ["supervisor"]}]
    if "auth" in {*settings.managed_services, *settings.external_services}:
        # To find the workspaces whose end nobody told of, and to stop those of people who were switched off.
        scopes = ["list:users", "read:servers", "delete:servers"]
        roles.append({"name": "commons-auth", "scopes": scopes, "services": ["auth"]})
    if settings.cull_idle_s:
        scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
        roles.append({"name": "commons-culler", "scopes": scopes, "services": ["culler"]})
    c.JupyterHub.load_roles = roles
    c.Spawner.server_token_scopes = ["users:activity!user", "access:servers!server", EXCHANGE_SCOPE]


def _configure_endings(c: Any, settings: HubSettings, secrets: dict[str, Any], ports: dict[str, int]) -> None:
    from .ending import SETTING, Endings

    origin = settings.targets(ports).get("auth")
    if origin is not None:
        endings = Endings(origin, secrets["tokens"]["auth"])
        c.JupyterHub.tornado_settings = {SETTING: endings}
        c.Spawner.post_stop_hook = endings.server_stopped


def _configure_sign_in(c: Any, folder: DataFolder, settings: SignInSettings, auth_url: str) -> None:
    c.JupyterHub.authenticator_class = "commonshub.hub.authenticator.PasswordAuthenticator"
    c.PasswordAuthenticator.passwords_file = str(folder.secrets / "passwords.json")
    c.RemoteUserAuthenticator.jwks_file = str(folder.path / "keys" / "jwks.json")
    if settings.providers:
        c.JupyterHub.authenticator_class = "commonshub.hub.authenticator.RemoteUserAuthenticator"
        c.RemoteUserAuthenticator.trust = "session"
        c.RemoteUserAuthenticator.auth_url = auth_url
        c.RemoteUserAuthenticator.logout_redirect_url = settings.page_after_logout
        # Nothing that the hub gives to a browser outlives its sign-in.
        c.JupyterHub.cookie_max_age_days = settings.life_s / 86400


def _configure_workspaces(
    c: Any, commons: Commons, settings: HubSettings, folder: DataFolder, secrets: dict[str, Any]
) -> None:
    c.JupyterHub.spawner_class = "commonshub.hub.spawner.WorkspaceSpawner"
    c.WorkspaceSpawner.data_dir = str(folder.path)
    c.WorkspaceSpawner.first_uid = settings.first_uid
    c.Spawner.default_url = "/lab"
    c.Spawner.environment = {
        INSTANCE_VARIABLE: secrets["instance"],
        "COMMONSHUB_ORIGIN": commons.origin,
        # Gen3's tools want the bare host here.
        "GEN3_ENDPOINT": commons.origin.split("://", 1)[-1],
    }
