"""Who a provider says that somebody is, and whether that is enough to sign in here. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commonshub.core.errors import AuthenticationRequired, BadRequest
from commonshub.core.signin import GROUP, MAX_GROUPS, MAX_GROUPS_CHARS, NAME

from ..names import username
from .providers import Provider

MAX_SUBJECT_CHARS = 255

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom a provider knows.

    Parameters
    ----------
    subject
        What the provider never gives to anybody else (``sub``).
    name
        Name that he has, or would have, in this commons.
    email
        His address, if the provider verified it; else empty.
    """

    subject: str
    name: str
    email: str = ""
    groups: tuple[str, ...] = ()


def person(provider: Provider, claims: Claims, deny_names: str = "") -> Person:
    """The person that a provider's claims are about.

    Raises
    ------
    AuthenticationRequired
        The claims lack a name or one that can be used here, have more groups than the hub can be told, or the
        provider's rules or `deny_names` keep him out.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_CHARS or not subject.isprintable():
        raise AuthenticationRequired(f"{provider.label} did not say who you are.")
    email = verified_email(provider, claims)
    _check_rules(provider, claims, email)
    name = email if provider.name_claim == "email" else claims.get(provider.name_claim)
    if not name or not isinstance(name, str):
        lacking = "a verified email address" if provider.name_claim == "email" else f"your {provider.name_claim}"
        raise AuthenticationRequired(f"{provider.label} did not tell {lacking}, without which nobody can sign in here.")
    name = usable_name(provider.name_prefix + name)
    if deny_names and re.search(deny_names, name):
        raise AuthenticationRequired("This name may not sign in to this commons.")
    return Person(subject, name, email, groups(provider, claims))


def usable_name(name: str) -> str:
    """The form of a name that the hub and the policies have.

    Raises
    ------
    AuthenticationRequired
        It has none: no letter is replaced or left out, since two people could then become one.
    """
    try:
        known = username(name)
    except BadRequest as error:
        raise AuthenticationRequired(error.message) from error
    if not NAME.fullmatch(known):
        raise AuthenticationRequired(f"{name[:80]!r} cannot be the name of a user of this commons.")
    return known


def verified_email(provider: Provider, claims: Claims) -> str:
    """The email address in lower case, or nothing unless the provider verified it."""
    email = claims.get("email")
    verified = provider.trust_emails or claims.get("email_verified") in (True, "true")
    return email.lower() if verified and isinstance(email, str) and email.count("@") == 1 else ""


def groups(provider: Provider, claims: Claims) -> tuple[str, ...]:
    """The groups that the hub can have; others are left out, and so give nothing.

    Raises
    ------
    AuthenticationRequired
        They are more than an assertion can carry: leaving out some by chance would be no help to anybody.
    """
    told = claims.get(provider.groups_claim) if provider.groups_claim else None
    if not isinstance(told, list):
        return ()
    names = {each for each in told if isinstance(each, str) and GROUP.fullmatch(each)}
    found = tuple(sorted(names)[:MAX_GROUPS])
    # Each in quotes, and a comma after it.
    chars = sum(len(name) + 3 for name in found)
    if chars > MAX_GROUPS_CHARS:
        raise AuthenticationRequired(
            f"{provider.label} names {len(names)} groups of yours, {chars} characters together; a sign-in can carry "
            f"{MAX_GROUPS_CHARS}. Ask those who run this commons to have it tell only the groups that count here."
        )
    return found


def wanted(provider: Provider) -> frozenset[str]:
    """The claims without which nobody can be judged."""
    more = {provider.groups_claim} if provider.groups_claim else set()
    domains = {"email"} if provider.email_domains else set()
    return frozenset({provider.name_claim, *more, *domains, *provider.required_claims})


def _check_rules(provider: Provider, claims: Claims, email: str) -> None:
    domains = {domain.lower() for domain in provider.email_domains}
    if domains and email.rpartition("@")[2] not in domains:
        raise AuthenticationRequired(
            f"Only users with a verified address at {', '.join(sorted(domains))} may sign in by {provider.label}."
        )
    for name, values in provider.required_claims.items():
        allowed = values if isinstance(values, Sequence) and not isinstance(values, str) else [values]
        told = claims.get(name)
        has = told if isinstance(told, list) else [told]
        if not any(each in allowed for each in has):
            raise AuthenticationRequired(f"{provider.label} does not say that you may use this commons ({name}).")
