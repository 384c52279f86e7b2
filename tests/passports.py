"""Issuers of GA4GH passports and visas, and a running index that takes them."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from tests.index_service import PROJECT, start
from tests.servers import answering
from tornado import netutil, web

SUBJECT = "researcher-1"
DATASET = "https://datasets.example/D1"
OTHER_DATASET = "https://datasets.example/D2"
OTHER_PROJECT = "/programs/p/projects/other"
SOURCE = "https://committee.example"
# The service has a host of its own, so that a request that should not be made is seen.
HOST = "127.0.0.3"


@dataclass
class Issuer:
    """Who signs passports or visas.

    Attributes
    ----------
    asked
        Paths that were asked of its server.
    down
        Its server has a fault.
    """

    iss: str
    key: Any
    kid: str = field(default_factory=lambda: uuid.uuid4().hex)
    jwks_uri: str = ""
    asked: list[str] = field(default_factory=list)
    down: bool = False

    @property
    def algorithm(self) -> str:
        return "RS256" if isinstance(self.key, rsa.RSAPrivateKey) else "ES256"

    @property
    def jwks(self) -> dict[str, Any]:
        kind = RSAAlgorithm if self.algorithm == "RS256" else ECAlgorithm
        return {"keys": [{**json.loads(kind.to_jwk(self.key.public_key())), "kid": self.kid, "use": "sig"}]}

    def rotate(self) -> None:
        """Sign with another key from now on, and publish that one alone."""
        self.key = new_rsa() if self.algorithm == "RS256" else new_ec()
        self.kid = uuid.uuid4().hex

    def sign(self, claims: dict[str, Any], **headers: Any) -> str:
        """A token with `claims`; those that are None are left out."""
        now = int(time.time())
        body = {"iss": self.iss, "sub": SUBJECT, "iat": now, "exp": now + 3600, "jti": uuid.uuid4().hex, **claims}
        kept = {name: value for name, value in body.items() if value is not None}
        return jwt.encode(kept, self.key, algorithm=self.algorithm, headers={"kid": self.kid, **headers})

    def passport(self, *visas: str, typ: str = "vnd.ga4gh.passport+jwt", **claims: Any) -> str:
        """A passport with these visas."""
        return self.sign({"ga4gh_passport_v1": list(visas), **claims}, typ=typ)

    def visa(
        self,
        assertion: dict[str, Any] | None = None,
        claims: dict[str, Any] | None = None,
        headers: dict[str, Any] | None = None,
    ) -> str:
        """A grant of :data:`DATASET`, but for what is given."""
        made = {"type": "ControlledAccessGrants", "value": DATASET, "source": SOURCE, "by": "dac", "asserted": 1}
        kept = {name: value for name, value in (made | (assertion or {})).items() if value is not None}
        headers = {"typ": "vnd.ga4gh.visa+jwt", **(headers or {})}
        return self.sign({"ga4gh_visa_v1": kept, **(claims or {})}, **headers)

    def linking(self, *people: str, **options: Any) -> str:
        """A visa that its person is also each of `people`, ``<sub>,<iss>`` with percent-encoding."""
        return self.visa({"type": "LinkedIdentities", "value": ";".join(people), "by": None}, **options)


PASSPORT = {"typ": "vnd.ga4gh.passport+jwt"}


def claims_of(issuer: Issuer, claims: dict[str, Any]) -> dict[str, Any]:
    now = int(time.time())
    return {"iss": issuer.iss, "sub": SUBJECT, "iat": now, "exp": now + 3600, **claims}


def unsigned(issuer: Issuer, claims: dict[str, Any]) -> str:
    """A passport or visa with the algorithm ``none``."""
    headers = {"kid": issuer.kid, **PASSPORT}
    return jwt.encode(claims_of(issuer, claims), None, algorithm="none", headers=headers)


def signed_with_the_public_key(issuer: Issuer, claims: dict[str, Any]) -> str:
    """HS256 over the issuer's public key as text: PyJWT itself would refuse to make it."""
    public = issuer.key.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    parts = ({"alg": "HS256", "kid": issuer.kid, **PASSPORT}, claims_of(issuer, claims))
    header, payload = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    mac = hmac.new(pem, header + b"." + payload, hashlib.sha256).digest()
    return b".".join([header, payload, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


def new_rsa() -> Any:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def new_ec() -> Any:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class World:
    """The issuers that an index knows, and one that it does not.

    Attributes
    ----------
    broker
        Signs passports.
    committee
        Signs visas that open two projects, under the broker's names of people.
    stranger
        Signs visas that open a project, under names of its own, which only other visas link with the broker's.
    linker
        Signs visas that link names.
    unknown
        Is in no setting.
    """

    broker: Issuer
    committee: Issuer
    stranger: Issuer
    linker: Issuer
    unknown: Issuer
    running: Any = None

    @property
    def issuers(self) -> list[Issuer]:
        return [self.broker, self.committee, self.stranger, self.linker, self.unknown]

    @property
    def settings(self) -> dict[str, Any]:
        """``PassportSettings`` of an index that knows them."""
        grants = {DATASET: [PROJECT], OTHER_DATASET: [OTHER_PROJECT]}
        common = {"sources": [SOURCE]}
        return {
            "enabled": True,
            "brokers": {self.broker.iss: {"jwks_uri": self.broker.jwks_uri, "audience": "commons"}},
            "visa_issuers": {
                self.committee.iss: {
                    "jwks_uri": self.committee.jwks_uri,
                    "grants": grants,
                    "subjects_of": self.broker.iss,
                    **common,
                },
                self.stranger.iss: {"jwks_uri": self.stranger.jwks_uri, "grants": {DATASET: [PROJECT]}, **common},
                self.linker.iss: {"jwks_uri": self.linker.jwks_uri, "links": True, **common},
            },
        }

    @property
    def url(self) -> str:
        return str(self.running.url)


def new_world() -> World:
    names = ("committee", "stranger", "linker", "unknown")
    rest = [Issuer(f"https://{name}.example", new_ec()) for name in names]
    return World(Issuer("https://broker.example/oidc/", new_rsa()), *rest)


class KeysHandler(web.RequestHandler):
    """``/<issuer>/jwks``, and anything else, which nobody should ask for."""

    def initialize(self, world: World) -> None:
        self.world = world

    def get(self, place: str, path: str) -> None:
        issuer = self.world.issuers[int(place)]
        issuer.asked.append(path)
        if issuer.down:
            raise web.HTTPError(503)
        self.finish(issuer.jwks)


@pytest.fixture(scope="module")
def world(run_service: Callable[..., Any]) -> Iterator[World]:
    made = new_world()
    sockets = netutil.bind_sockets(0, HOST)
    for place, issuer in enumerate(made.issuers):
        issuer.jwks_uri = f"http://{HOST}:{sockets[0].getsockname()[1]}/{place}/jwks"
    with answering(web.Application([(r"/(\d)/(.*)", KeysHandler, {"world": made})]), sockets):
        made.running = start(run_service, PassportSettings=made.settings)
        yield made
