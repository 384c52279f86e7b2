"""What may be asked at ``/user/oauth2/authorize``, judged without a database, and what follows from it."""

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from urllib.parse import parse_qsl, urlencode

from commonshub.core.errors import CommonsError
from commonshub.core.pkce import challenge_of

from .clients import Client

MAX_REQUEST_CHARS = 2048
MAX_PARAMETERS = 64
# A sign-in that took place for this very request is recent enough for it, even for max_age=0.
GRACE_S = 60
PROMPTS = frozenset({"none", "login", "consent", "select_account"})
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")

Parameters = Mapping[str, Sequence[str]]


class ProtocolError(CommonsError):
    """An error with a name of the protocol, such as ``invalid_grant``."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Step(Enum):
    """What comes next in an authorization."""

    SIGN_IN = auto()
    SIGN_IN_ANEW = auto()
    ASK = auto()
    GRANT = auto()


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A well-formed request of a known client.

    Parameters
    ----------
    scopes
        At least ``openid``, and no other than the client may have.
    max_age_s
        How long ago the user may have proved who he is, in seconds.
    challenge
        S256 challenge of PKCE; empty where the client, a confidential one, sent none.
    """

    client_id: str
    redirect_uri: str
    scopes: frozenset[str]
    state: str | None = None
    nonce: str | None = None
    prompts: frozenset[str] = frozenset()
    max_age_s: int | None = None
    challenge: str = ""

    def query(self) -> str:
        """The request again, as a query string of its meaningful parameters only."""
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(sorted(self.scopes)),
            "state": self.state,
            "nonce": self.nonce,
            "prompt": " ".join(sorted(self.prompts)),
            "max_age": None if self.max_age_s is None else str(self.max_age_s),
            "code_challenge": self.challenge,
            "code_challenge_method": "S256" if self.challenge else "",
        }
        return urlencode({name: value for name, value in parameters.items() if value})

    def signed_in(self) -> "AuthorizationRequest":
        """The request once its wish for a sign-in has been met."""
        return replace(self, prompts=self.prompts - {"login", "select_account"})

    def answer(self, issuer: str, **parameters: str) -> str:
        """The client's address with our answer to this request."""
        told = {**parameters, **({"state": self.state} if self.state is not None else {}), "iss": issuer}
        separator = "&" if "?" in self.redirect_uri else "?"
        return f"{self.redirect_uri}{separator}{urlencode(told)}"


def read_parameters(*texts: str | bytes) -> Parameters:
    """The parameters of query strings or form bodies; one without a value counts as left out (RFC 6749, 3.1).

    Raises
    ------
    ProtocolError
        There are too many, they are not UTF-8, or one contains a NUL.
    """
    found: dict[str, list[str]] = {}
    for text in texts:
        try:
            plain = text.decode("ascii") if isinstance(text, bytes) else text
            pairs = parse_qsl(plain, max_num_fields=MAX_PARAMETERS, errors="strict")
        except ValueError as error:
            raise ProtocolError("invalid_request", "The parameters are not form-encoded UTF-8.") from error
        if any("\0" in value for _, value in pairs):
            raise ProtocolError("invalid_request", "No parameter may contain a NUL character.")
        for name, value in pairs:
            found.setdefault(name, []).append(value)
    return found


def single(parameters: Parameters, name: str) -> str | None:
    """The value of a parameter, or None.

    Raises
    ------
    ProtocolError
        It is there more than once.
    """
    values = parameters.get(name, ())
    if len(values) > 1:
        raise ProtocolError("invalid_request", f"{name} must not be given more than once.")
    return values[0] if values else None


def read_request(parameters: Parameters, client: Client | None, now: float) -> AuthorizationRequest:
    """Judge an authorization request.

    Raises
    ------
    ProtocolError
        It is malformed, or asks for what the client may not have. The browser must not be sent to the client with
        this: whoever made the link may own its address (RFC 9700, 4.11).
    """
    if client is None or client.ended(now):
        raise ProtocolError("unauthorized_client", "No application is registered under this client_id.", 401)
    redirect_uri = single(parameters, "redirect_uri")
    if redirect_uri not in client.redirect_uris or redirect_uri is None:
        raise ProtocolError("invalid_request", "redirect_uri is not an address that this application registered.", 401)
    _check_response(parameters, client)
    request = AuthorizationRequest(
        client_id=client.id,
        redirect_uri=redirect_uri,
        scopes=_scopes(single(parameters, "scope"), client.scopes),
        state=single(parameters, "state"),
        nonce=single(parameters, "nonce"),
        prompts=_prompts(single(parameters, "prompt")),
        max_age_s=_max_age(single(parameters, "max_age")),
        challenge=_challenge(parameters, client),
    )
    if len(request.query()) > MAX_REQUEST_CHARS:
        raise ProtocolError("invalid_request", f"The request is longer than {MAX_REQUEST_CHARS} characters.")
    return request


def next_step(
    request: AuthorizationRequest,
    *,
    signed_in: bool,
    authenticated_at: int | None,
    approved: bool,
    now: float,
) -> Step:
    """What the request's ``prompt`` and ``max_age`` call for (OpenID Connect Core, 3.1.2.1).

    Parameters
    ----------
    authenticated_at
        When the user proved who he is, in seconds since the epoch, if that is known.
    approved
        Whether the client needs not ask for consent (any more).

    Raises
    ------
    ProtocolError
        ``login_required`` or ``consent_required``: the client asked that the user be shown nothing.
    """
    recent = request.max_age_s is None or (
        authenticated_at is not None and now - authenticated_at <= max(request.max_age_s, GRACE_S)
    )
    if "none" in request.prompts:
        if not (signed_in and recent):
            raise ProtocolError("login_required", "The user is not signed in.")
        if not approved:
            raise ProtocolError("consent_required", "The user has not allowed this yet.")
        return Step.GRANT
    if request.prompts & {"login", "select_account"} or not recent:
        return Step.SIGN_IN_ANEW
    if not signed_in:
        return Step.SIGN_IN
    return Step.GRANT if approved and "consent" not in request.prompts else Step.ASK


def narrowed(asked: str | None, granted: Iterable[str]) -> frozenset[str]:
    """The scopes that are asked for, all granted ones where none is named.

    Raises
    ------
    ProtocolError
        One of them was not granted.
    """
    limit = frozenset(granted)
    wanted = frozenset((asked or "").split()) or limit
    if not wanted <= limit:
        raise ProtocolError("invalid_scope", f"scope may be {' '.join(sorted(limit))!r} or fewer of these.")
    return wanted


def proves(verifier: str | None, challenge: str) -> bool:
    """Whether `verifier` is the one whose challenge came with the request; none where there was none (RFC 7636)."""
    if not challenge or verifier is None:
        return not challenge and verifier is None
    if not _VERIFIER.fullmatch(verifier):
        return False
    return hmac.compare_digest(challenge_of(verifier).encode(), challenge.encode())


def _check_response(parameters: Parameters, client: Client) -> None:
    response_type = single(parameters, "response_type")
    if response_type != "code":
        raise ProtocolError("unsupported_response_type", "response_type must be `code`; there is no other here.", 401)
    if "authorization_code" not in client.grant_types:
        raise ProtocolError("unauthorized_client", "This application may not ask users for access.", 401)
    if single(parameters, "response_mode") not in (None, "query"):
        raise ProtocolError("invalid_request", "response_mode must be `query`.")
    for name in ("request", "request_uri"):
        if name in parameters:
            raise ProtocolError(f"{name}_not_supported", f"{name} is not supported; send plain parameters.")


def _scopes(asked: str | None, allowed: frozenset[str]) -> frozenset[str]:
    scopes = narrowed(asked, allowed) if asked else frozenset()
    if "openid" not in scopes:
        raise ProtocolError("invalid_scope", "scope must contain `openid`.")
    return scopes


def _prompts(text: str | None) -> frozenset[str]:
    prompts = frozenset((text or "").split())
    if not prompts <= PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise ProtocolError("invalid_request", "prompt must be `none`, or some of `login consent select_account`.")
    return prompts


def _max_age(text: str | None) -> int | None:
    if text is not None and not re.fullmatch(r"[0-9]{1,9}", text):
        raise ProtocolError("invalid_request", "max_age must be a number of seconds.")
    return None if text is None else int(text)


def _challenge(parameters: Parameters, client: Client) -> str:
    challenge, method = single(parameters, "code_challenge"), single(parameters, "code_challenge_method")
    if challenge is None:
        if method is not None or not client.confidential:
            raise ProtocolError("invalid_request", "code_challenge is missing (PKCE, RFC 7636).")
        return ""
    if method != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise ProtocolError("invalid_request", "code_challenge must come with code_challenge_method=S256.")
    return challenge
