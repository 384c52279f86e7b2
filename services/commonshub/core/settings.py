"""Settings that several services share, as traitlets.

Every trait has a help text, a default and, where it counts something, its unit in the name. Values come, in rising
order of precedence, from the defaults here, from ``<data folder>/run/embedded.json`` (written by ``commonshub up`` for
the embedded database and object store), from ``commonshub_config.py``, and from the command line.
"""

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from traitlets import Bool, Dict, Integer, List, TraitError, Unicode, default, validate
from traitlets.config import Configurable
from traitlets.utils.bunch import Bunch


class Commons(Configurable):
    """The commons as a whole."""

    name = Unicode("CommonsHub", help="Name of this commons, shown on its pages.").tag(config=True)

    origin = Unicode(
        "http://127.0.0.1:8000",
        help="Scheme, host and port under which browsers, notebooks and clients reach this commons. "
        "No path and no trailing slash: Gen3 clients keep only scheme, host and port.",
    ).tag(config=True)

    data_dir = Unicode(help="Folder that holds all state of this commons.").tag(config=True)

    @default("data_dir")
    def _default_data_dir(self) -> str:
        return os.environ.get("COMMONSHUB_DATA_DIR") or str(Path.cwd() / ".commons")

    hub_url = Unicode(
        "/jupyter/hub/", help="Public address of the hub's pages, with a slash at the end; a path or a whole URL."
    ).tag(config=True)

    hub_api_url = Unicode(help="URL of the hub's REST API, as the services reach it.").tag(config=True)

    @default("hub_api_url")
    def _default_hub_api_url(self) -> str:
        return os.environ.get("JUPYTERHUB_API_URL", "")

    dictionary = Unicode(
        help="The data dictionary: a folder of YAML files, one JSON file, or an http(s) URL of one."
    ).tag(config=True)

    @default("dictionary")
    def _default_dictionary(self) -> str:
        return str(self.path / "dictionary")

    guid_prefix = Unicode(
        help="Put before the UUID of every GUID that this commons makes up, as `dg.XXXX/`; empty for bare UUIDs. "
        "Records are found with and without it."
    ).tag(config=True)

    max_body_bytes = Integer(
        256 * 2**20, help="Largest request body that a service accepts, in bytes. Bytes of files never pass here."
    ).tag(config=True)

    max_table_bytes = Integer(
        2 * 2**30, help="Largest table of records in one request, in bytes; tables are read row by row."
    ).tag(config=True)

    @property
    def path(self) -> Path:
        """The data folder."""
        return Path(self.data_dir)

    @property
    def secrets(self) -> Path:
        """The folder of generated secrets, mode 0700."""
        return self.path / "secrets"

    @property
    def secure(self) -> bool:
        """Whether browsers reach this commons by https only."""
        return self.origin.startswith("https://")

    @property
    def issuer(self) -> str:
        """``iss`` of every token of this commons (Gen3 clients derive the host from it)."""
        return f"{self.origin}/user"


class LimitSettings(Configurable):
    """How often somebody may fail to prove who he is, and how a service knows its client's address."""

    failed_attempts = Integer(
        10,
        min=0,
        help="Failed attempts with one credential from one address within the window after which more are refused "
        "with 429; 0 for no limit.",
    ).tag(config=True)

    failed_attempts_of_address = Integer(
        300, min=0, help="Failed attempts from one address within the window, whatever the credential; 0 for no limit."
    ).tag(config=True)

    failed_window_s = Integer(60, min=1, help="The window of both, in seconds.").tag(config=True)

    proxy_hops = Integer(
        1,
        min=0,
        help="Proxies between clients and the services, the hub's own included: so many last entries of "
        "X-Forwarded-For are believed.",
    ).tag(config=True)

    proxy_addresses = List(
        Unicode(),
        ["127.0.0.0/8", "::1/128"],
        help="Networks of the proxy that calls the services; X-Forwarded-For of others counts for nothing.",
    ).tag(config=True)

    @validate("proxy_addresses")
    def _networks(self, proposal: Bunch) -> list[str]:
        return _checked_networks("LimitSettings.proxy_addresses", proposal.value)


def _checked_networks(name: str, networks: list[str]) -> list[str]:
    for text in networks:
        try:
            ip_network(text, strict=False)
        except ValueError as error:
            raise TraitError(f"{name}: {text!r} is no address or network, such as 10.0.0.0/8.") from error
    return networks


class DatabaseSettings(Configurable):
    """PostgreSQL, which every service but the portal uses."""

    url = Unicode("postgresql:///commons", help="SQLAlchemy URL of the database (any PostgreSQL 13 or newer).").tag(
        config=True
    )

    pool_size = Integer(
        4, help="Connections that one service process keeps open, and threads that it runs SQL on."
    ).tag(config=True)

    statement_timeout_ms = Integer(
        60_000, help="A statement that takes longer is cancelled, in milliseconds; 0 for no limit."
    ).tag(config=True)

    auth_schema = Unicode("auth", help="PostgreSQL schema of users, policies, keys and audit.").tag(config=True)
    index_schema = Unicode(
        "index", help="PostgreSQL schema of the index; `public` opens an existing indexd database."
    ).tag(config=True)
    graph_schema = Unicode(
        "graph", help="PostgreSQL schema of the graph; `public` opens an existing Gen3 graph database."
    ).tag(config=True)
    release_schema = Unicode("release", help="PostgreSQL schema of frozen releases.").tag(config=True)
    explore_schema = Unicode("explore", help="PostgreSQL schema of the explorer's run list.").tag(config=True)


class StorageSettings(Configurable):
    """Object stores.

    Attributes
    ----------
    registered
        Those of `stores` that an administrator has registered while the commons runs (:mod:`.buckets`).
    """

    registered: frozenset[str] = frozenset()

    endpoint_url = Unicode(help="S3 endpoint that clients and services reach; empty for AWS itself.").tag(config=True)

    region = Unicode("us-east-1", help="S3 region used in signatures.").tag(config=True)

    credentials_file = Unicode(
        help="JSON file (mode 0600) with access_key and secret_key; empty to use the usual AWS sources."
    ).tag(config=True)

    upload_bucket = Unicode("commons", help="Bucket that uploads go to.").tag(config=True)

    buckets = List(
        Unicode(), help="Buckets that the commons signs URLs for; the upload bucket always belongs to them."
    ).tag(config=True)

    stores = Dict(
        help="Buckets of other object stores: a map of bucket names to what differs from the settings above, any of "
        "`endpoint_url`, `region`, `credentials_file`, and `public` (True: everybody can read the bucket, so URLs are "
        "not signed). The commons signs URLs for them too."
    ).tag(config=True)

    # A text in place of a list would be searched for `*`, and each of its characters taken for a path.
    bucket_resources = Dict(
        value_trait=List(Unicode()),
        key_trait=Unicode(),
        help="Which records may point into which part of a bucket other than the upload bucket: a map of prefixes "
        "(`s3://bucket/folder`) to lists of resource paths, the longest prefix counts. A record reaches a place when "
        "one of its authz paths lies at or below one of the listed ones; `['*']` lets any record reach it, "
        "for reading.",
    ).tag(config=True)

    registered_networks = List(
        Unicode(),
        help="Networks of stores that administrators may register although they are on this machine or link-local: "
        "the services connect to a registered store in private networks, but to loopback addresses only where the "
        "commons' own store has one, and to link-local ones, where clouds keep credentials, never.",
    ).tag(config=True)

    probe_timeout_s = Integer(
        10, min=1, help="How long a store that an administrator registers may take to answer, in seconds."
    ).tag(config=True)

    presigned_url_ttl_s = Integer(
        3600,
        help="Default and longest life of a presigned URL, in seconds.",
    ).tag(config=True)

    client_credentials_download = Bool(
        False,
        help="Whether a client that acts for itself (OAuth's client credentials) may download what its own policies "
        "grant; otherwise only what is open to everybody.",
    ).tag(config=True)

    max_bulk_downloads = Integer(1000, help="Most GUIDs in one POST /user/data/download/bulk.").tag(config=True)

    download_batch = Integer(64, min=1, help="Most single downloads that share one transaction.").tag(config=True)

    download_batches = Integer(
        2, min=1, help="Transactions with downloads that one process has open at the same time; the others wait."
    ).tag(config=True)

    @validate("registered_networks")
    def _networks(self, proposal: Bunch) -> list[str]:
        return _checked_networks("StorageSettings.registered_networks", proposal.value)

    @validate("stores")
    def _known_fields(self, proposal: Bunch) -> dict[str, dict[str, Any]]:
        kinds = {"endpoint_url": str, "region": str, "credentials_file": str, "public": bool}
        for bucket, fields in proposal.value.items():
            for name, value in fields.items() if isinstance(fields, dict) else [(fields, None)]:
                if name not in kinds or not isinstance(value, kinds[name]):
                    known = ", ".join(f"{field} ({kind.__name__})" for field, kind in kinds.items())
                    raise TraitError(f"StorageSettings.stores: bucket {bucket!r} may have {known}, not {name!r}.")
        stores: dict[str, dict[str, Any]] = proposal.value
        return stores


class TokenSettings(Configurable):
    """Life of tokens and keys."""

    access_token_ttl_s = Integer(
        1200, help="Life of an access token, in seconds. Must exceed 300: the gen3 SDK renews at that age."
    ).tag(config=True)

    api_key_ttl_s = Integer(30 * 86400, help="Longest life of an API key, in seconds.").tag(config=True)

    audience = Unicode("gen3", help="Audience that access tokens must carry.").tag(config=True)

    jwks_file = Unicode(
        help="JWKS file with the public keys that tokens are verified by; default: `keys/jwks.json` in the data folder."
    ).tag(config=True)

    @default("jwks_file")
    def _default_jwks_file(self) -> str:
        return str(Commons(parent=self.parent).path / "keys" / "jwks.json")
