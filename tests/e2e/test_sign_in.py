"""A person signs in by an OpenID provider and out again, in a real browser before a commons behind nginx."""

import subprocess
import sys
import time
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys
from tests.front import Front, echo, front, nginx
from tests.openid_service import provider_package, start_provider

__all__ = ["echo", "front", "nginx", "provider_package", "start_provider"]

from visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def commons(front: Front) -> Front:
    """The commons that `visitor` visits."""
    return front


def sign_in(person: Visitor, account: str) -> None:
    """From the portal to the provider, and through its page."""
    person.open("/portal/login?next=/portal/profile")
    person.wait_for_text("Choose where you have an account")
    person.shoot("sign-in-choice")
    person.find("a[href^='/user/login/test']").click()
    person.find("input[name=account]").send_keys(account + Keys.ENTER)


def test_a_person_signs_in_and_out(visitor: Visitor, front: Front) -> None:
    sign_in(visitor, "s-alice")
    visitor.wait_for_text("alice@example.org")
    assert visitor.driver.current_url == f"{front.origin}/portal/profile"
    visitor.shoot("sign-in-done")
    cookies = visitor.driver.execute_cdp_cmd("Network.getAllCookies", {})["cookies"]
    [login] = [each for each in cookies if each["name"] == "commonshub_login"]
    assert (login["path"], login["httpOnly"], login["sameSite"]) == ("/jupyter/hub/", True, "Lax")
    visitor.find("form[action='/portal/logout'] button").click()
    visitor.find("button[form='op.logoutForm']").click()
    visitor.wait_for_text("Sign in")
    assert visitor.driver.current_url == f"{front.origin}/portal/"
    visitor.open("/jupyter/hub/home")
    visitor.wait_for_text("Choose where you have an account")


def test_a_provider_that_does_not_answer_is_named_with_what_to_do(visitor: Visitor) -> None:
    visitor.open("/user/login/away")
    visitor.wait_for_text("Signing in is not possible just now")
    visitor.shoot("sign-in-away")
    assert "Institute Far Away cannot be reached" in visitor.text()
    assert "Try again in a minute" in visitor.text()


def test_a_person_who_was_switched_off_is_told_so(visitor: Visitor, front: Front) -> None:
    def switch(what: str) -> Any:
        command = [sys.executable, "-P", "-m", "commonshub.hub.cli", "user", what, "alice@example.org"]
        return subprocess.run([*command, "--data-dir", str(front.folder)], check=True, timeout=60, capture_output=True)

    sign_in(visitor, "s-alice")
    visitor.wait_for_text("alice@example.org")
    switch("deactivate")
    try:
        # The hub asks about a sign-in every few seconds only.
        end = time.monotonic() + 30
        while "Choose where you have an account" not in visitor.text():
            assert time.monotonic() < end, "the hub still shows its pages to somebody who was switched off"
            visitor.open("/jupyter/hub/home")
        visitor.find("a[href^='/user/login/test']").click()
        visitor.wait_for_text("deactivated")
        visitor.shoot("sign-in-deactivated")
    finally:
        switch("reactivate")
