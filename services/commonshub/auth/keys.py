"""The key pairs of a commons: made at first start, rotated by adding one, published as JWKS.

Each private key is a PEM file in ``secrets/jwt``, named ``<moment>-<random>.pem``; its stem is the ``kid``. The newest
signs; all are published, so that what an older one signed stays valid until it expires. Deleting a file and starting
the auth service anew withdraws a key.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from commonshub.core.tokens import ALGORITHM, Claims

KEY_BITS = 2048


class KeyPairs:
    """The key pairs in one folder.

    Parameters
    ----------
    folder
        Where the private keys are; made with mode 0700, the first key in it with 0600.
    jwks_file
        Where the public keys are published; replaced as a whole, so that no reader sees half of it.
    """

    def __init__(self, folder: Path, jwks_file: Path) -> None:
        self.folder = folder
        self.jwks_file = jwks_file
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        with self._locked():
            if not any(folder.glob("*.pem")):
                self._make()
            self._private = {file.stem: _read(file) for file in sorted(folder.glob("*.pem"), reverse=True)}
            self._publish()
        self.kid = next(iter(self._private))

    def sign(self, claims: Claims) -> str:
        """A token with these claims, signed by the newest key."""
        return jwt.encode(dict(claims), self._private[self.kid], algorithm=ALGORITHM, headers={"kid": self.kid})

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

    def _make(self) -> None:
        private = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}.pem"
        _write(self.folder / name, pem, 0o600)

    def _publish(self) -> None:
        content = json.dumps(self.jwks(), indent=1).encode()
        if self.jwks_file.exists() and self.jwks_file.read_bytes() == content:
            return
        self.jwks_file.parent.mkdir(parents=True, exist_ok=True)
        _write(self.jwks_file, content, 0o644)


def _read(file: Path) -> RSAPrivateKey:
    private = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(private, RSAPrivateKey):
        raise ValueError(f"{file} is not an RSA private key.")
    return private


def _write(file: Path, content: bytes, mode: int) -> None:
    """Write a file so that it is either absent, old or complete, and never readable beyond `mode`."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(descriptor, mode)
        stream.write(content)
        stream.flush()
        os.fsync(descriptor)
    temporary.replace(file)
