"""Sessions of browsers: what a cookie holds."""

from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from commonshub.core.browser import Session, content_policy, read_session
from commonshub.core.hub import Attempt, Hub, Registration
from commonshub.core.hubapi import HubApi

REGISTRATION = Registration("service-auth", "secret", "auth", "/user/oauth_callback")


@pytest.mark.parametrize("session", [Session("token"), Session("token", 1_700_000_000)])
def test_a_session_is_what_was_kept(session: Session) -> None:
    assert read_session(orjson.dumps(session)) == session


@pytest.mark.parametrize("value", [b"a-bare-token", b"", b"{}", b'{"token": "x", "more": 1}', b"[]", b"1"])
def test_a_cookie_of_another_form_is_no_session(value: bytes) -> None:
    assert read_session(value) is None


def test_a_policy_allows_no_script_and_no_frame_unless_told() -> None:
    policy = content_policy("form-action 'self'")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy
    assert policy.endswith("form-action 'self'")


@pytest.mark.parametrize("pages", ["/jupyter/hub/", "https://hub.example.org/jupyter/hub/"])
def test_a_sign_in_anew_goes_by_the_page_that_asks_again(pages: str) -> None:
    hub = Hub(pages, HubApi("", 10), REGISTRATION, 30)
    try:
        attempt = Attempt.begin("/user/oauth2/authorize?x=1", anew=True)
        parts = urlsplit(hub.authorize_url(attempt))
        following = urlsplit(parse_qs(parts.query)["next"][0])
        assert parts.path == "/jupyter/hub/sign-in-anew"
        assert following.path == "/jupyter/hub/api/oauth2/authorize"
        assert following.netloc == ""
        assert parse_qs(following.query)["state"] == [attempt.state]
    finally:
        hub.close()
