"""The configuration of an nginx in front of a commons, as ``commonshub nginx-config`` prints it."""

import re
from dataclasses import dataclass
from pathlib import Path

from tornado.template import Template
from traitlets.config import Config

from commonshub.core.errors import BadRequest
from commonshub.core.settings import Commons
from commonshub.core.signin import ASSERTION_HEADER, COOKIE

from .services import SERVICES

TEMPLATE = Path(__file__).with_name("nginx.conf")
# Headers by which programs tell one another who a user is; no browser has a reason to send one.
IDENTITY_HEADERS = (
    *("X-Remote-User", "X-Remote-Groups", "X-Commons-Proxy-Secret", "Remote-User", "Remote-Groups"),
    *("X-Forwarded-User", "X-Forwarded-Groups", "X-Forwarded-Email", "Forwarded"),
)
HEADER_TRAITS = ("user_header", "groups_header", "secret_header")

_SERVER_NAME = re.compile(r"[A-Za-z0-9.*_-]+( [A-Za-z0-9.*_-]+)*")
_ADDRESS = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}")
_LISTEN = re.compile(r"(([A-Za-z0-9.*-]+|\[[0-9A-Fa-f:]+\]):)?[0-9]{1,5}")
_FILE = re.compile(r"/[A-Za-z0-9 _./@+=,-]+")


@dataclass(frozen=True, slots=True)
class Front:
    """What the configuration is made for.

    Parameters
    ----------
    server_name
        Names that browsers know the commons by.
    upstream
        ``host:port`` of the commons' own proxy.
    listen
        Port, or address and port, to listen on; by default that of http or https.
    certificate, key
        Files for TLS: both or neither.
    access_log
        File for a line a request, without the queries, which may hold codes.
    """

    server_name: str
    upstream: str
    listen: str = ""
    certificate: str = ""
    key: str = ""
    access_log: str = "/dev/null"

    def check(self) -> None:
        """Refuse what would not stay one word of the configuration.

        Raises
        ------
        BadRequest
            The message names the option.
        """
        for name, value, pattern in (
            ("--server-name", self.server_name, _SERVER_NAME),
            ("--upstream", self.upstream, _ADDRESS),
            ("--listen", self.listen or "80", _LISTEN),
            ("--certificate", self.certificate or "/none", _FILE),
            ("--key", self.key or "/none", _FILE),
            ("--access-log", self.access_log, _FILE),
        ):
            if not pattern.fullmatch(value):
                raise BadRequest(f"{name} cannot be {value!r}.")
        if bool(self.certificate) != bool(self.key):
            raise BadRequest("TLS needs both --certificate and --key.")


def configuration(front: Front, config: Config) -> str:
    """The text of the configuration.

    Parameters
    ----------
    config
        Configuration of the commons; where its hub trusts assertions, nginx asks for them.

    Raises
    ------
    BadRequest
        An option of `front` is wrong.
    """
    front.check()
    commons = Commons(config=config)
    remote = config.get("RemoteUserAuthenticator", {})
    assertion_header = str(remote.get("assertion_header", ASSERTION_HEADER))
    chosen = [str(remote[name]) for name in HEADER_TRAITS if isinstance(remote.get(name), str)]
    stripped = [name for name in dict.fromkeys((*IDENTITY_HEADERS, *chosen)) if name != assertion_header]
    prefixes = [re.escape(each) for paths in SERVICES.values() for each in paths if each != "/"]
    text = Template(TEMPLATE.read_text(), autoescape=None, whitespace="all").generate(
        server_name=front.server_name,
        upstream=front.upstream,
        listen=front.listen or ("443" if front.certificate else "80"),
        certificate=front.certificate,
        key=front.key,
        access_log=front.access_log,
        assertions=remote.get("trust") == "assertion",
        assertion_header=assertion_header,
        cookie=COOKIE,
        stripped=stripped,
        prefixes=prefixes,
        # Each service has its own limit for what is no table.
        max_body_bytes=max(commons.max_body_bytes, commons.max_table_bytes),
    )
    return text.decode()


def advice(front: Front, config: Config) -> list[str]:
    """What the operator should know before using it."""
    lines = []
    scheme = "https" if front.certificate else "http"
    origin = f"{scheme}://{front.server_name.split()[0]}"
    if not str(config.get("Commons", {}).get("origin", "")).startswith(origin):
        lines.append(f"Set c.Commons.origin = {origin!r} in commonshub_config.py: clients find the commons by it.")
    if config.get("LimitSettings", {}).get("proxy_hops", 1) < 2:
        lines.append("Set c.LimitSettings.proxy_hops = 2, so that failed attempts are counted by the client's address.")
    if config.get("SignInSettings", {}).get("providers") and (
        config.get("RemoteUserAuthenticator", {}).get("trust") != "assertion"
    ):
        lines.append(
            'The hub asks about sign-ins itself. Set c.RemoteUserAuthenticator.trust = "assertion" and run this '
            "again to let nginx ask."
        )
    return lines
