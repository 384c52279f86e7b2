"""The OpenID providers of a commons, as its operator configured them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from commonshub.core.errors import BadRequest, UpstreamError
from commonshub.core.options import read_options, read_secret
from commonshub.core.outbound import check_url

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
# What else is found under /user/login/, and the hub's own passwords.
HUB = "jupyterhub"
RESERVED = frozenset({HUB, "assertion", "end"})


@dataclass(frozen=True, slots=True)
class Provider:
    """One OpenID provider.

    Parameters
    ----------
    idp
        Its short name.
    issuer
        Its URL, exactly as its own documents say it.
    client_id, client_secret_file
        How it knows this commons; without a file this commons is a public client.
    title, description
        What people read.
    scopes
        What is asked for; ``openid`` always is.
    name_claim
        Claim with the user's name. ``email`` must be verified by the provider.
    name_prefix
        Put before the name, so that two providers cannot give the same one.
    groups_claim
        Claim with a list of groups, or empty for none. They become the user's groups at the hub.
    policy_groups
        They also make him a member of the groups of that name here, with what those were given.
    email_domains
        Where there are some, only users with a verified email address in one of them get in.
    required_claims
        Claim to the values of which it must have one.
    trust_emails
        The provider lets nobody choose an address, but does not say ``email_verified``.
    prompt
        ``login`` makes the provider ask for the password every time.
    hidden
        Works, but is not offered.
    """

    idp: str
    issuer: str
    client_id: str
    client_secret_file: str = ""
    title: str = ""
    description: str = ""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    name_claim: str = "email"
    name_prefix: str = ""
    groups_claim: str = ""
    policy_groups: bool = False
    email_domains: tuple[str, ...] = ()
    required_claims: Mapping[str, Any] = field(default_factory=dict)
    trust_emails: bool = False
    prompt: str = ""
    hidden: bool = False

    @property
    def label(self) -> str:
        """What people read of it."""
        return self.title or self.idp

    @property
    def secret(self) -> str:
        """The secret that this commons has at the provider; empty for a public client."""
        return read_secret(self.client_secret_file)


def parse_providers(settings: Mapping[str, Any]) -> dict[str, Provider]:
    """The providers of ``SignInSettings.providers``.

    Raises
    ------
    BadRequest
        A setting is missing, unknown or of the wrong kind; the message names provider and setting.
    """
    return {str(idp): _parse(str(idp), values) for idp, values in settings.items()}


def _parse(idp: str, values: Any) -> Provider:
    where = f"SignInSettings.providers[{idp!r}]"
    if not _NAME.fullmatch(idp) or idp in RESERVED:
        raise BadRequest(f"{where}: the name must be of a-z, 0-9, - and _, and none of {', '.join(sorted(RESERVED))}.")
    provider = Provider(idp, **read_options(Provider, where, values, ("issuer", "client_id")))
    if provider.policy_groups and not provider.groups_claim:
        raise BadRequest(f"{where}['policy_groups'] needs the setting 'groups_claim'.")
    try:
        check_url(provider.issuer)
    except UpstreamError as error:
        raise BadRequest(f"{where}['issuer']: {error.message}") from error
    return provider
