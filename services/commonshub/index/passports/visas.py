"""Passports and visas as GA4GH defines them (AAI OIDC Profile 1.2, GA4GH Passport 1.2), and what they open. Pure.

Vocabulary
----------
passport
    A JWT by a broker about one person, with visas inside (``ga4gh_passport_v1``). It must be valid, or the whole
    request is refused.
visa
    A JWT by a visa issuer: one assertion (``ga4gh_visa_v1``) about one person. One that is not valid, or that nothing
    here asks for, counts for nothing.
source
    Whose decision a visa passes on, such as a data access committee.
person
    ``iss`` and ``sub``: a name alone says nothing, as every issuer gives names of its own.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

import jwt
import orjson

from commonshub.core.errors import AuthenticationRequired, BadRequest

from .settings import Broker, PassportSettings, VisaIssuer

GRANT, LINKS = "ControlledAccessGrants", "LinkedIdentities"
PASSPORT_TYPE = "vnd.ga4gh.passport+jwt"
# What a visa may call itself; most say nothing.
VISA_TYPES = ("", "jwt", "vnd.ga4gh.visa+jwt", "at+jwt")
# Clocks of two organizations differ, in seconds.
LEEWAY_S = 30
# How long a visa that is an access token counts without its issuer being asked again, in seconds (AAI 1.2).
ACCESS_TOKEN_S = 3600
# Longest text of a visa that is an address (Passport 1.2, URL Claims), in characters.
MAX_URL_CHARS = 255

Claims = Mapping[str, Any]


class Person(NamedTuple):
    """One person by the name that one issuer gives."""

    iss: str
    sub: str


class Passport(NamedTuple):
    """A valid passport: whom it is about, and the visas in it, still unread."""

    person: Person
    visas: Sequence[str]


class Visa(NamedTuple):
    """A valid visa.

    Attributes
    ----------
    people
        The names by which its issuer means its person.
    linked
        Other names of that person that it asserts.
    value
        What is granted.
    ends_at
        Seconds since the epoch.
    """

    people: frozenset[Person]
    linked: frozenset[Person]
    value: str
    ends_at: float
    issuer: VisaIssuer


class Outline(NamedTuple):
    """What a token says of itself, before anything of it has been verified."""

    header: Claims
    claims: Claims

    @property
    def issuer(self) -> str:
        """``iss``; empty where it is no text."""
        issuer = self.claims.get("iss")
        return issuer if isinstance(issuer, str) else ""


def outline(token: str, what: str) -> Outline:
    """What a token says of itself, to find the issuer whose keys it is verified with.

    Raises
    ------
    AuthenticationRequired
        It is no signed JWT.
    """
    try:
        header, claims, _signature = token.split(".")
        # Not by PyJWT, which takes as long for this as for a signature.
        told = [orjson.loads(base64.urlsafe_b64decode(f"{part}==")) for part in (header, claims)]
    except ValueError as error:
        raise AuthenticationRequired(f"{what} is not valid: it is no signed token.") from error
    if not all(isinstance(each, dict) for each in told):
        raise AuthenticationRequired(f"{what} is not valid: it is no signed token.")
    return Outline(*told)


def read_bounded(passports: Any, settings: PassportSettings) -> list[str]:
    """The passports of a request, if they are so many and so large as is allowed.

    Raises
    ------
    BadRequest
        They are no list of texts, or beyond a limit; the message names it.
    """
    if not isinstance(passports, list) or not all(isinstance(each, str) for each in passports):
        raise BadRequest("passports must be a list of JWTs.")
    if len(passports) > settings.max_passports:
        raise BadRequest(f"passports: at most {settings.max_passports} are taken (PassportSettings.max_passports).")
    for place, each in enumerate(passports):
        if len(each) > settings.max_passport_bytes:
            raise BadRequest(
                f"passports[{place}] is larger than {settings.max_passport_bytes} bytes "
                "(PassportSettings.max_passport_bytes)."
            )
    return passports


def read_passport(token: str, key: jwt.PyJWK, broker: Broker) -> Passport:
    """The passport that a broker signed with `key`.

    Raises
    ------
    AuthenticationRequired
        It is not valid, or no passport.
    """
    what = "The passport"
    told = _verified(token, key, broker.issuer, broker.audience, what)
    if _media_type(told.header) != PASSPORT_TYPE:
        raise AuthenticationRequired(f"{what} is not valid: its typ is not {PASSPORT_TYPE}.")
    visas = told.claims.get("ga4gh_passport_v1")
    if not isinstance(visas, list) or not all(isinstance(each, str) for each in visas):
        raise AuthenticationRequired(f"{what} is not valid: its ga4gh_passport_v1 is no list of visas.")
    return Passport(Person(broker.issuer, told.claims["sub"]), visas)


def signer(told: Outline, issuers: Mapping[str, VisaIssuer]) -> VisaIssuer:
    """The issuer of a visa that could open something here; its keys are where the settings say.

    Raises
    ------
    AuthenticationRequired
        It could open nothing, or says that its keys are elsewhere.
    """
    issuer = issuers.get(told.issuer)
    if issuer is None:
        raise AuthenticationRequired("The visa is of an issuer that this commons does not know.")
    assertion = told.claims.get("ga4gh_visa_v1")
    kind = assertion.get("type") if isinstance(assertion, dict) else None
    if kind != GRANT and not (kind == LINKS and issuer.links):
        raise AuthenticationRequired("The visa is of a type that opens nothing here.")
    if told.header.get("jku", issuer.jwks_uri) != issuer.jwks_uri:
        raise AuthenticationRequired("The visa says that its keys are elsewhere than PassportSettings does.")
    return issuer


def read_visa(token: str, key: jwt.PyJWK, issuer: VisaIssuer, now: float) -> Visa:
    """The visa that an issuer signed with `key`.

    Parameters
    ----------
    now
        Seconds since the epoch.

    Raises
    ------
    AuthenticationRequired
        It is not valid, or asserts what its issuer may not.
    """
    what = "The visa"
    told = _verified(token, key, issuer.issuer, "", what)
    claims = told.claims
    if _media_type(told.header) not in VISA_TYPES:
        raise AuthenticationRequired(f"{what} is not valid: its typ is that of something else.")
    if "openid" in _scopes(claims) and claims["iat"] < now - ACCESS_TOKEN_S:
        raise AuthenticationRequired(f"{what} is an access token that its issuer would have to be asked about.")
    assertion = claims.get("ga4gh_visa_v1")
    if not isinstance(assertion, dict) or not _well_formed(assertion, now):
        raise AuthenticationRequired(f"{what} is not valid: its ga4gh_visa_v1 is malformed.")
    if assertion.get("conditions"):
        # They may only be passed over together with the visa (Passport 1.2).
        raise AuthenticationRequired(f"{what} holds under conditions, which are not looked at here.")
    if assertion["source"] not in issuer.sources:
        raise AuthenticationRequired(f"{what} passes on the word of a source that its issuer may not speak for.")
    names = {issuer.issuer, issuer.subjects_of or issuer.issuer}
    return Visa(
        people=frozenset(Person(name, claims["sub"]) for name in names),
        linked=_linked(assertion["value"]) if assertion["type"] == LINKS and issuer.links else frozenset(),
        value=assertion["value"] if assertion["type"] == GRANT else "",
        ends_at=claims["exp"],
        issuer=issuer,
    )


def opened(passport: Passport, visas: Sequence[Visa]) -> dict[str, float]:
    """Resource paths that visas open to the person of a passport, and until when, in seconds since the epoch."""
    reached = _reached(passport.person, [visa for visa in visas if visa.linked])
    found: dict[str, float] = {}
    for visa in visas:
        known = max((reached[person] for person in visa.people if person in reached), default=0.0)
        for path in visa.issuer.grants.get(visa.value, ()) if known else ():
            found[path] = max(found.get(path, 0.0), min(known, visa.ends_at))
    return found


def _reached(person: Person, links: Sequence[Visa]) -> dict[Person, float]:
    """The names of a person that visas link with each other, and until when they do."""
    reached = {person: math.inf}
    changed = True
    while changed:
        changed = False
        for visa in links:
            names = visa.people | visa.linked
            end = min(visa.ends_at, max((reached[name] for name in names if name in reached), default=0.0))
            for name in names:
                if reached.get(name, 0.0) < end:
                    reached[name] = end
                    changed = True
    return reached


def _verified(token: str, key: jwt.PyJWK, issuer: str, audience: str, what: str) -> Outline:
    try:
        told = jwt.api_jwt.decode_complete(
            token,
            key.key,
            algorithms=[key.algorithm_name],
            issuer=issuer,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iat", "iss", "sub"], "verify_aud": False},
        )
    except jwt.PyJWTError as error:
        raise AuthenticationRequired(f"{what} is not valid: {error}.") from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise AuthenticationRequired(f"{what} is not valid: it is malformed.") from error
    claims = told["payload"]
    if not all(_whole(claims[name]) for name in ("exp", "iat")) or not claims["sub"]:
        raise AuthenticationRequired(f"{what} is not valid: a claim is malformed.")
    aud = claims.get("aud")
    if aud is not None and (not audience or audience not in (aud if isinstance(aud, list) else [aud])):
        raise AuthenticationRequired(f"{what} is not valid: it is for somebody else.")
    return Outline(told["header"], claims)


def _media_type(header: Claims) -> str:
    """``typ`` without what may be left out of it (RFC 7515, 4.1.9)."""
    return str(header.get("typ") or "").lower().removeprefix("application/")


def _scopes(claims: Claims) -> list[str]:
    scope = claims.get("scope")
    return scope.split() if isinstance(scope, str) else []


def _well_formed(assertion: Claims, now: float) -> bool:
    """Whether an assertion has all that it must have, each of its kind; only a grant must say by whom."""
    texts = ["type", "value", "source", *(["by"] if assertion.get("type") == GRANT else [])]
    return (
        all(isinstance(assertion.get(name), str) for name in texts)
        and len(assertion["source"]) <= MAX_URL_CHARS
        and (assertion["type"] != GRANT or len(assertion["value"]) <= MAX_URL_CHARS)
        and _whole(assertion.get("asserted"))
        and assertion["asserted"] <= now + LEEWAY_S
    )


def _linked(value: str) -> frozenset[Person]:
    """The people of ``<sub>,<iss>;…``, each part percent-encoded; none of them where one is malformed."""
    people = [each.split(",") for each in value.split(";")]
    if any(len(each) != 2 for each in people):
        return frozenset()
    return frozenset(Person(unquote(issuer), unquote(subject)) for subject, issuer in people)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
