"""What the auth service and the hub agree on about signing in.

Vocabulary
----------
provider
    An OpenID provider that knows the users: a university's, ORCID, Keycloak…
sign-in
    What a browser gets when its user has come back from a provider: a row in the database, found by the secret in a
    cookie that only requests to the hub's pages carry.
assertion
    What the auth service says of a sign-in: a JWT that lives for seconds and serves nobody but the hub.
"""

import re

from traitlets import Dict, Integer, Unicode
from traitlets.config import Configurable

COOKIE = "commonshub_login"
ASSERTION_HEADER = "X-Commons-Assertion"
ASSERTION_AUDIENCE = "hub"
ASSERTION_PURPOSE = "assertion"
ASSERTION_S = 30

# What the hub takes for the name of a user and of a group.
NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")
MAX_GROUPS = 500
# Characters of all groups of a user together, as JSON: an assertion with more would be longer than tokens may be
# (`tokens.MAX_TOKEN_CHARS`), and than proxies take for a header.
MAX_GROUPS_CHARS = 4096


class SignInSettings(Configurable):
    """Signing in by OpenID providers. Without any, users sign in with the hub's own passwords."""

    providers = Dict(
        help="The OpenID providers: a short name, which becomes part of addresses, to a map of `issuer`, `client_id`, "
        "`client_secret_file` and more; see docs/reference/sign-in.md."
    ).tag(config=True)

    default_provider = Unicode(help="Name of the provider that is offered first; default: the first one.").tag(
        config=True
    )

    idle_s = Integer(
        3600, help="A sign-in that no page of the hub was opened with for this long ends, in seconds."
    ).tag(config=True)

    life_s = Integer(8 * 3600, help="Every sign-in ends after this time, in seconds.").tag(config=True)

    groups_s = Integer(
        7 * 86400, help="Time for which a provider's word on groups counts (`policy_groups`), in seconds."
    ).tag(config=True)

    attempt_s = Integer(600, help="Time that a user has to come back from the provider, in seconds.").tag(config=True)

    timeout_s = Integer(10, help="Time that a provider gets for an answer, in seconds.").tag(config=True)

    documents_s = Integer(
        3600, help="Time for which a provider's addresses and keys are not asked for again, in seconds."
    ).tag(config=True)

    deny_names = Unicode(
        "^admin$",
        help="Regular expression of user names that nobody may sign in with; by default that of the account with all "
        "rights that `commonshub up` makes.",
    ).tag(config=True)

    page_after_logout = Unicode("/portal/", help="Where a logout leads to that names no other page.").tag(config=True)
