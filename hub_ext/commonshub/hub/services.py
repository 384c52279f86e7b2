"""The services of a commons: their names, their public prefixes, and the settings that say who starts them."""

from traitlets import Dict, Integer, List, Unicode
from traitlets.config import Configurable

from .accounts import DEFAULT_FIRST_UID

# Each service's public prefixes, as its application declares them. Spelled out here because the hub imports no service.
SERVICES: dict[str, tuple[str, ...]] = {
    "auth": ("/user", "/.well-known", "/authz", "/wts", "/audit"),
    "index": ("/index", "/ga4gh/drs", "/mds", "/mds-admin"),
    "submission": ("/api/v0/submission",),
    "query": (
        "/api/v0/submission/graphql",
        "/api/v0/submission/getschema",
        "/api/v0/datasets",
        "/api/v0/coremetadata",
        "/coremetadata",
    ),
    "explore": ("/guppy",),
    "portal": ("/portal", "/"),
    "workflow": ("/ga4gh/wes",),
}


class HubSettings(Configurable):
    """The hub and what it starts."""

    managed_services = List(
        Unicode(),
        list(SERVICES),
        help="Services that the hub starts and restarts itself, on this machine.",
    ).tag(config=True)

    external_services = Dict(
        help="Services that run elsewhere: name to origin, such as {'index': 'http://index:8080'}. "
        "A service named here is routed, not started."
    ).tag(config=True)

    service_timeout_s = Integer(
        120, help="Time that a service gets to answer after its start, in seconds; the first start migrates."
    ).tag(config=True)

    cull_idle_s = Integer(
        4 * 3600, help="A workspace without activity for this long is stopped, in seconds; 0 to never stop any."
    ).tag(config=True)

    first_uid = Integer(
        DEFAULT_FIRST_UID,
        help="Lowest numeric account that the commons uses when started as root: the database, the object store and "
        "the proxy take the first ten, each user's workspace one more.",
    ).tag(config=True)

    def targets(self, ports: dict[str, int]) -> dict[str, str]:
        """Origin of every service that is managed or external."""
        managed = {name: f"http://127.0.0.1:{ports[name]}" for name in self.managed_services}
        return {**managed, **self.external_services}

    def routes(self, ports: dict[str, int]) -> dict[str, str]:
        """Public path prefix, with its trailing slash, to origin."""
        targets = self.targets(ports)
        return {
            prefix.rstrip("/") + "/": targets[name]
            for name, prefixes in SERVICES.items()
            if name in targets
            for prefix in prefixes
        }
