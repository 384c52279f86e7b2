"""Real parts for the tests: PostgreSQL, an S3 server, running services, signed tokens."""

import asyncio
import gc
import json
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import hypothesis  # Asks at its import who refers to an object, which of frozen ones is not known.
import jwt
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import rsa
from traitlets.config import Config

from commonshub.core.app import ServiceApplication
from commonshub.core.migration import upgrade
from commonshub.core.policy import Snapshot
from commonshub.hub.accounts import Accounts, give, launcher
from commonshub.hub.objectstore import ObjectStore
from commonshub.hub.postgres import Postgres, environment, socket_folder

from .opensearch import opensearch

__all__ = ["opensearch"]

ORIGIN = "http://127.0.0.1:8000"
# Below those that systems give to connections and to whoever asks for any port.
PORTS = range(20_000, 32_768)

# How long an example takes says more of what else the machine does; on CI hypothesis has no deadline of itself.
hypothesis.settings.register_profile("unhurried", hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("unhurried")


def pytest_collection_finish() -> None:
    """Keep the collector off the tests themselves: services run in this process, and would stand still meanwhile."""
    gc.collect()
    gc.freeze()


def free_port() -> int:
    """A port that stays free until its server starts, even if that is long after."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an empty PostgreSQL server's maintenance database."""
    folder = tmp_path_factory.mktemp("postgres")
    account = Accounts(folder / "accounts.json").part("postgres", str(folder / "cluster"))
    cluster, sockets = give(folder / "cluster", account), give(socket_folder(folder / "sockets"), account)
    server = Postgres(
        cluster,
        sockets,
        {"postgres": "test"},
        launcher(account, writable=[cluster, sockets]),
        {"max_connections": "200", "fsync": "off"},
    )
    server.initialise()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(server.command(), env=environment(), stdout=log, stderr=log)
    server.wait_ready()
    yield server.url("postgres", "postgres")
    process.send_signal(signal.SIGINT)
    process.wait(30)
    shutil.rmtree(sockets)


@contextmanager
def database(server: str, template: str = "template1") -> Iterator[str]:
    """URL of a copy of the database `template` that lasts as long as the block."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"create database {name} template {template}"))
    yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.text(f"drop database {name} with (force)"))
    engine.dispose()


@pytest.fixture(scope="session")
def migrated(postgres: str) -> Iterator[str]:
    """Name of a database with the tables of every service that brings its own, to be copied and not changed."""
    import commonshub.auth.app as auth
    import commonshub.explore.store as explore
    import commonshub.index.app as index

    services = (("auth", auth.SCRIPTS, auth.HEAD), ("index", index.MIGRATIONS, index.HEAD),
                ("explore", explore.MIGRATIONS, explore.HEAD))  # fmt: skip
    with database(postgres) as url:
        # A database with connections cannot be copied.
        with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
            for schema, scripts, head in services:
                upgrade(connection, schema, scripts, head, f"alembic_version_{schema}")
        yield sa.make_url(url).database or ""


@pytest.fixture(scope="module")
def database_url(postgres: str, migrated: str) -> Iterator[str]:
    """URL of a fresh database with the tables of the services: making them takes far longer than a copy."""
    with database(postgres, migrated) as url:
        yield url


@pytest.fixture(scope="module")
def empty_database_url(postgres: str) -> Iterator[str]:
    """URL of a database without tables, as a service finds it that starts first."""
    with database(postgres) as url:
        yield url


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Trait values of ``StorageSettings`` for a real S3 server with an empty bucket ``commons``."""
    folder = tmp_path_factory.mktemp("s3")
    keys = {"access_key": "testaccesskey", "secret_key": "testsecretkey1234"}
    credentials = folder / "s3.json"
    credentials.write_text(json.dumps(keys))
    store = ObjectStore(folder / "store", free_port(), keys)
    store.create_bucket("commons")
    process = subprocess.Popen(
        store.command(), env=store.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for_port(store.port)
    yield {"endpoint_url": store.url, "credentials_file": str(credentials)}
    process.terminate()
    process.wait(10)


def wait_for_port(port: int, timeout_s: float = 30, host: str = "127.0.0.1") -> None:
    end = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection((host, port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="session")
def signing_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def jwks_file(signing_key: rsa.RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(signing_key.public_key()))
    path = tmp_path_factory.mktemp("keys") / "jwks.json"
    path.write_text(json.dumps({"keys": [{**key, "kid": "test", "use": "sig", "alg": "RS256"}]}))
    return path


@pytest.fixture(scope="session")
def token(signing_key: rsa.RSAPrivateKey) -> Callable[..., str]:
    """Mint a token: ``token("alice")``, with any claim overridden by keyword."""

    def mint(username: str | None, **claims: Any) -> str:
        now = int(time.time())
        body = {
            "pur": "access",
            "iss": f"{ORIGIN}/user",
            "aud": ["gen3"],
            "sub": username or "",
            "azp": "",
            "scope": ["openid", "user", "data", "credentials", "admin"],
            "iat": now,
            "exp": now + 1200,
            "jti": uuid.uuid4().hex,
            "context": {"user": {"name": username}} if username else {},
        }
        return jwt.encode({**body, **claims}, signing_key, algorithm="RS256", headers={"kid": "test"})

    return mint


class Running:
    """A service answering on its own thread and event loop."""

    def __init__(self, app: ServiceApplication) -> None:
        self.app = app
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.call(app.open())
        self.url = f"http://127.0.0.1:{app.port}"

    def call(self, coroutine: Any) -> Any:
        """Run a coroutine on the service's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def hold(self, policies: Snapshot) -> None:
        """Give the service these policies, which those of the database no longer replace."""
        self.call(self.app.grants.stop())
        self.app.grants.snapshot = policies

    def stop(self) -> None:
        self.call(self.app.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@pytest.fixture(scope="module")
def run_service(
    database_url: str, s3: dict[str, Any], jwks_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Running]]:
    """Start a service on the module's database: ``run_service(IndexApp, IndexApp={"trait": value})``."""
    running: list[Running] = []
    data_dir = tmp_path_factory.mktemp("data")

    def start(app_class: type[ServiceApplication], **traits: dict[str, Any]) -> Running:
        config = Config(
            {
                "Commons": {"origin": ORIGIN, "data_dir": str(data_dir)},
                "DatabaseSettings": {"url": database_url},
                "StorageSettings": s3,
                "TokenSettings": {"jwks_file": str(jwks_file)},
                "ServiceApplication": {"url": "http://127.0.0.1:0"},
            }
        )
        for section, values in traits.items():
            config[section].update(values)
        app = app_class(config=config)
        app.load_settings()
        running.append(Running(app))
        return running[-1]

    yield start
    for each in reversed(running):
        each.stop()
