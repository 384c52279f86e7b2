"""A whole commons in which a provider is all that was configured: no password, no reverse proxy."""

import requests
from tests.front import Front, bare, echo
from tests.openid_service import provider_package, start_provider
from tests.waiting import eventually

__all__ = ["bare", "echo", "provider_package", "start_provider"]

ALICE = "/jupyter/user/alice@example.org"


def test_no_password_is_offered(bare: Front) -> None:
    told = (bare.folder.parent / "up").read_text()
    assert "SignInSettings.providers" in told
    assert "password " not in told
    form = {"username": "admin", "password": "x"}
    answer = requests.post(f"{bare.origin}/jupyter/hub/login", data=form, timeout=20, allow_redirects=False)
    assert answer.status_code in (302, 401, 403)
    assert "jupyterhub-hub-login" not in answer.headers.get("Set-Cookie", "")


def test_one_sign_in_opens_portal_hub_and_workspace(bare: Front) -> None:
    browser = bare.browser()
    assert "alice@example.org" in browser.follow("/portal/login?next=/portal/profile").text
    assert "alice@example.org" in browser.follow("/jupyter/hub/home").text
    browser.follow("/jupyter/hub/spawn")
    page = eventually(lambda: opened(browser.follow(f"{ALICE}/lab?reset")), 120)
    assert "jupyter" in page.lower()
    # The workspace was sent no cookie of the sign-in, and another visitor is sent to sign in.
    assert all(each.path == "/jupyter/hub/" for each in browser.cookies if each.name == "commonshub_login")
    other = bare.browser().follow(f"{ALICE}/lab", account="s-bob")
    assert other.status_code == 403


def opened(answer: requests.Response) -> str:
    """The page of JupyterLab; empty while the workspace starts."""
    ready = answer.status_code == 200 and "jupyter-config-data" in answer.text
    return answer.text if ready and "/jupyter/user/" in answer.url else ""


def test_no_header_counts(bare: Front) -> None:
    for name in ("X-Commons-Assertion", "X-Remote-User", "Remote-User"):
        for place in (bare.origin, bare.hub):
            headers = {name: "alice@example.org"}
            answer = requests.get(f"{place}/jupyter/hub/login", headers=headers, timeout=20, allow_redirects=False)
            assert answer.headers["Location"].startswith("/user/login?")
