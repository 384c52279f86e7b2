"""The deciding code of the OAuth provider: requests, prompts, verifiers, addresses, credentials."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from commonshub.auth.oauth.clients import (
    Client,
    check,
    check_redirect_uri,
    digest,
    read_basic,
    with_secret,
)
from commonshub.auth.oauth.protocol import (
    GRACE_S,
    AuthorizationRequest,
    ProtocolError,
    Step,
    narrowed,
    next_step,
    proves,
    read_parameters,
    read_request,
)
from commonshub.core.errors import BadRequest

T = TypeVar("T")
URI = "https://app.example.org/callback"
CLIENT = Client(id="c", name="App", redirect_uris=(URI,), secret_hash=digest("s3cret"))
REQUEST = AuthorizationRequest("c", URI, frozenset({"openid"}))
NOW = 1_000_000.0


def outcome(work: Callable[[], T]) -> T | ProtocolError:
    """What `work` returns, or the refusal that it raises."""
    try:
        return work()
    except ProtocolError as refusal:
        return refusal


texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=40)


@given(
    st.dictionaries(
        st.sampled_from(
            ["scope", "state", "nonce", "prompt", "max_age", "code_challenge", "code_challenge_method", "response_type"]
        ),
        texts | st.sampled_from(["openid", "code", "S256", "login consent", "x" * 43, "60"]),
    )
)
def test_any_request_is_refused_or_understood_the_same_when_it_comes_back(parameters: dict[str, str]) -> None:
    given_ = {"response_type": "code", "scope": "openid", "redirect_uri": URI, **parameters}
    request = outcome(lambda: read_request(read_parameters(urlencode(given_)), CLIENT, NOW))
    if isinstance(request, ProtocolError):
        assert request.status in (400, 401)
        return
    assert read_request(read_parameters(request.query()), CLIENT, NOW) == request
    assert request.state == given_.get("state")
    assert "openid" in request.scopes <= CLIENT.scopes


@given(state=texts, code=texts)
def test_an_answer_carries_its_values_whole_and_stays_on_the_address(state: str, code: str) -> None:
    for uri in (URI, URI + "?own=1", "org.example.app:/back"):
        answer = replace(REQUEST, redirect_uri=uri, state=state).answer("https://commons/user", code=code)
        assert answer.startswith(uri)
        told = dict(parse_qsl(urlsplit(answer).query))
        assert (told["code"], told["state"], told["iss"]) == (code, state, "https://commons/user")
        assert answer.isascii()
        assert answer.isprintable()


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader_of_parameters(body: bytes) -> None:
    found = outcome(lambda: read_parameters(body))
    assert not isinstance(found, ProtocolError) or found.code == "invalid_request"


def test_a_parameter_without_value_is_left_out() -> None:
    assert read_parameters("a=&b=1&a=2") == {"b": ["1"], "a": ["2"]}


def test_there_are_only_so_many_parameters() -> None:
    with pytest.raises(ProtocolError):
        read_parameters("&".join(f"a{number}=1" for number in range(100)))


@given(
    signed_in=st.booleans(),
    age_s=st.none() | st.floats(0, 1e6),
    approved=st.booleans(),
    prompts=st.sets(st.sampled_from(["login", "consent", "select_account"])) | st.just({"none"}),
    max_age_s=st.none() | st.integers(0, 10_000),
)
def test_nothing_is_granted_that_was_not_called_for(
    signed_in: bool, age_s: float | None, approved: bool, prompts: set[str], max_age_s: int | None
) -> None:
    request = replace(REQUEST, prompts=frozenset(prompts), max_age_s=max_age_s)
    authenticated_at = None if age_s is None or not signed_in else int(NOW - age_s)
    step = outcome(
        lambda: next_step(request, signed_in=signed_in, authenticated_at=authenticated_at, approved=approved, now=NOW)
    )
    if isinstance(step, ProtocolError):
        assert "none" in prompts
        assert step.code in ("login_required", "consent_required")
        return
    if step in (Step.GRANT, Step.ASK):
        assert signed_in
        assert not prompts & {"login", "select_account"}
        if max_age_s is not None:
            assert authenticated_at is not None
            assert NOW - authenticated_at <= max(max_age_s, GRACE_S) + 1
    if step is Step.GRANT:
        assert approved
        assert "consent" not in prompts
    if "none" in prompts:
        assert step is Step.GRANT


@given(st.sets(st.sampled_from(["openid", "user", "data"])), st.sets(st.sampled_from(["openid", "user", "admin"])))
def test_scopes_only_get_fewer(granted: set[str], asked: set[str]) -> None:
    found = outcome(lambda: narrowed(" ".join(asked), granted))
    if isinstance(found, ProtocolError):
        assert found.code == "invalid_scope"
        assert not asked <= granted
    else:
        assert found == (asked or granted)


@given(st.text("abcXYZ019-._~", min_size=43, max_size=128), st.text("abcXYZ019-._~", min_size=43, max_size=128))
def test_a_challenge_is_met_by_its_verifier_alone(verifier: str, other: str) -> None:
    assume(verifier != other)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert proves(verifier, challenge)
    assert not proves(other, challenge)
    assert not proves(None, challenge)
    assert not proves(challenge, challenge)
    assert not proves(verifier, "")
    assert proves(None, "")


@pytest.mark.parametrize(
    "uri",
    [
        URI,
        "https://app.example.org",
        "https://app.example.org:8443/a?b=c",
        "http://localhost:8080/cb",
        "http://127.0.0.1/cb",
        "http://[::1]:9/cb",
        "https://[2001:db8::1]/cb",
        "org.example.app:/callback",
        "org.example.app://callback",
    ],
)
def test_an_address_that_may_be_registered(uri: str) -> None:
    check_redirect_uri(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "app.example.org/cb",
        "/cb",
        "//app.example.org/cb",
        "https:app.example.org",
        "https:/app.example.org",
        "https://",
        "https:///cb",
        "https://user@app.example.org/",
        "https://user:pw@app.example.org/",
        "https://app.example.org/#x",
        "https://app.example.org/a b",
        "https://app.example.org\\cb",
        "https://app.example.org:port/",
        "https://app.example.org:99999999/",
        "https://ünï.example/",
        "https://a;b/",
        "https://%61pp.example/",
        "HTTPS://app.example.org/",
        "http://app.example.org/cb",
        "http://localhost.evil.example/cb",
        "javascript:alert(1)",
        "javascript://x.y/%0aalert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "app:/callback",
        "https://app.example.org/\r\nX: y",
        "https://app.example.org/" + "x" * 600,
    ],
)
def test_an_address_that_may_not_be_registered(uri: str) -> None:
    with pytest.raises(BadRequest, match="redirect_uris"):
        check_redirect_uri(uri)


def test_a_commons_without_tls_takes_addresses_without() -> None:
    check_redirect_uri("http://app.example.org/cb", insecure=True)


@given(texts, texts)
def test_a_basic_header_gives_what_it_was_made_of(client: str, secret: str) -> None:
    value = base64.b64encode(f"{quote_plus(client)}:{quote_plus(secret)}".encode()).decode()
    assert read_basic(f"Basic {value}") == (client, secret)
    assert read_basic(f"bAsIc {value}") == (client, secret)


@given(
    st.text(max_size=40)
    | st.text(max_size=40).map("Basic {}".format)
    | st.binary(max_size=40).map(lambda raw: "Basic " + base64.b64encode(raw).decode())
)
def test_no_header_breaks_the_reader_of_credentials(header: str) -> None:
    found = read_basic(header)
    assert found is None or "\0" not in found[0]


def test_only_the_secret_proves_a_confidential_client_and_only_none_a_public_one() -> None:
    client, secret = with_secret(CLIENT)
    assert secret is not None
    assert client.id != CLIENT.id
    assert client.accepts(secret)
    assert not any(client.accepts(each) for each in (None, "", secret[:-1], client.secret_hash))
    public, none = with_secret(replace(CLIENT, confidential=False))
    assert none is None
    assert public.accepts(None)
    assert not public.accepts("")


def test_a_client_ends_at_its_very_moment() -> None:
    client = replace(CLIENT, expires_at=100)
    assert (client.ended(99.9), client.ended(100), CLIENT.ended(1e12)) == (False, True, False)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " x"}, "name"),
        ({"scopes": frozenset({"openid", "admin"})}, "scopes"),
        ({"scopes": frozenset({"user"})}, "scopes"),
        ({"grant_types": frozenset({"implicit"})}, "grant_types"),
        ({"grant_types": frozenset({"refresh_token"})}, "grant_types"),
        ({"grant_types": frozenset({"client_credentials"}), "confidential": False}, "grant_types"),
        ({"redirect_uris": ()}, "redirect_uris"),
        ({"redirect_uris": tuple(f"{URI}/{number}" for number in range(40))}, "redirect_uris"),
    ],
)
def test_a_faulty_client_is_told_which_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(BadRequest, match=field):
        check(replace(CLIENT, **changes), insecure=False)  # type: ignore[arg-type]
