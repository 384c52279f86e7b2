"""The key pairs of a commons: made at first start, rotated by adding one, published as JWKS.

Each private key is a PEM file in ``secrets/jwt``, named ``<moment>-<random>.pem``; its stem is the ``kid``. The newest
signs; all are published, so that what an older one signed stays valid until it expires. A running service notices that
a file was added or deleted: nothing has to be started anew.
"""

import asyncio
import fcntl
import json
import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from commonshub.core.files import Stamp, stamp, write_whole
from commonshub.core.tokens import ALGORITHM, Claims

KEY_BITS = 2048
MOMENT = "%Y%m%dT%H%M%SZ"
# A folder that changed so short a time ago may change again within one tick of the filesystem's clock.
SETTLED_NS = 1_000_000_000
CHECK_S = 1.0

log = logging.getLogger(__name__)


class KeyPairs:
    """The key pairs in one folder, as they are now; to be used from any thread.

    Parameters
    ----------
    folder
        Where the private keys are; made with mode 0700, the first key in it with 0600.
    jwks_file
        Where the public keys are published; replaced as a whole, so that no reader sees half of it.

    Raises
    ------
    ValueError
        A file in the folder is no RSA private key.
    """

    def __init__(self, folder: Path, jwks_file: Path) -> None:
        self.folder = folder
        self.jwks_file = jwks_file
        self._private: dict[str, RSAPrivateKey] = {}
        self._faulty: list[str] = []
        self._stamp: Stamp | None = None
        self._reading = threading.Lock()
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        self.refresh()

    @property
    def kid(self) -> str:
        """Name of the newest key, which signs."""
        return next(iter(self._private))

    def refresh(self) -> None:
        """Follow a change of the folder: publish what is in it. Two ``stat`` where nothing has changed."""
        found = stamp(self.folder)
        if found == self._stamp and found is not None and self.jwks_file.exists():
            return
        with self._reading, self._locked():
            # Taken before the folder is read: a change meanwhile shows the next time.
            found = stamp(self.folder)
            if not any(self.folder.glob("*.pem")):
                self._make(datetime.now(UTC))
            whole = self._load()
            self._publish()
            settled = found is not None and found[0] < time.time_ns() - SETTLED_NS
            self._stamp = found if whole and settled else None

    def _load(self) -> bool:
        """Read the pairs in the folder; whether all could be read. A faulty one must not stop a running service."""
        pairs: dict[str, RSAPrivateKey] = {}
        faulty: list[str] = []
        for file in sorted(self.folder.glob("*.pem"), reverse=True):
            try:
                pairs[file.stem] = self._private.get(file.stem) or _read(file)
            except (OSError, ValueError) as error:
                if not self._private:
                    raise
                faulty.append(file.name)
                if file.name not in self._faulty:
                    log.error("%s is left out: %s", file, error)
        self._faulty = faulty
        self._private = pairs or self._private
        return not faulty

    def sign(self, claims: Claims) -> str:
        """A token with these claims, signed by the newest key, which is published by then."""
        self.refresh()
        kid, private = next(iter(self._private.items()))
        # As UTF-8: escaped, a long name in another script would not fit into a header of 4 kB.
        return jwt.api_jws.encode(orjson.dumps(claims), private, algorithm=ALGORITHM, headers={"kid": kid})

    def rotate(self, retire_after_s: float | None = None) -> list[str]:
        """Make a new pair, which signs from now on; names of the earlier ones that were deleted.

        Parameters
        ----------
        retire_after_s
            Delete the pairs that a newer one replaced longer ago than that; None deletes none. What a deleted one
            signed is refused everywhere at once, so it should not be less than the longest life of an API key.
        """
        with self._locked():
            earlier = sorted((file.stem for file in self.folder.glob("*.pem")), reverse=True)
            now = datetime.now(UTC)
            newest = _moment(earlier[0]) if earlier else None
            # The name decides which is the newest, also of two that are made within a second.
            moment = now if newest is None or newest + timedelta(seconds=1) < now else newest + timedelta(seconds=1)
            made = self._make(moment)
            retired = [] if retire_after_s is None else _replaced([made, *earlier], now, retire_after_s)
            for kid in retired:
                (self.folder / f"{kid}.pem").unlink()
        self.refresh()
        return retired

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK set (RFC 7517)."""
        return {
            "keys": [
                {**json.loads(RSAAlgorithm.to_jwk(public)), "kid": kid, "use": "sig", "alg": ALGORITHM}
                for kid, public in self._public()
            ]
        }

    def pems(self) -> list[list[str]]:
        """The public keys as pairs of ``kid`` and PEM: the older form that Gen3's own verifiers fall back to."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return [[kid, public.public_bytes(serialization.Encoding.PEM, form).decode()] for kid, public in self._public()]

    def _public(self) -> list[tuple[str, RSAPublicKey]]:
        return [(kid, private.public_key()) for kid, private in self._private.items()]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Only one process at a time makes or publishes keys: the service and a command may start together."""
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make(self, moment: datetime) -> str:
        private = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        kid = f"{moment:{MOMENT}}-{secrets.token_hex(4)}"
        write_whole(self.folder / f"{kid}.pem", pem.decode())
        return kid

    def _publish(self) -> None:
        content = json.dumps(self.jwks(), indent=1)
        if self.jwks_file.exists() and self.jwks_file.read_text() == content:
            return
        self.jwks_file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.jwks_file, content, 0o644)


async def follow(keys: KeyPairs) -> None:
    """Publish changes of the folder also while nothing is signed."""
    while True:
        await asyncio.sleep(CHECK_S)
        try:
            await asyncio.to_thread(keys.refresh)
        except OSError as error:
            log.error("The key pairs cannot be read: %s", error)


def _moment(kid: str) -> datetime | None:
    """When a key was made, as its name says; None for a name that the operator gave."""
    try:
        return datetime.strptime(kid.partition("-")[0], MOMENT).replace(tzinfo=UTC)
    except ValueError:
        return None


def _replaced(kids: list[str], now: datetime, after_s: float) -> list[str]:
    """Those of `kids` (newest first) whose successor was made `after_s` seconds before `now`, or earlier."""
    moments = [(kid, _moment(successor)) for successor, kid in pairwise(kids)]
    return [kid for kid, since in moments if since is not None and max(0.0, (now - since).total_seconds()) >= after_s]


def _read(file: Path) -> RSAPrivateKey:
    private = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(private, RSAPrivateKey):
        raise ValueError(f"{file} is not an RSA private key.")
    return private
