"""A person lets an application act for him, in a real browser and through the real proxy."""

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from tests.servers import answering
from tests.tokens import bearer
from tornado import netutil, web
from visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


class Landing(web.RequestHandler):
    def get(self) -> None:
        self.finish("The application.")


@pytest.fixture(scope="module")
def callback() -> Iterator[str]:
    """Address of an application's page, of another origin than the commons."""
    sockets = netutil.bind_sockets(0, "127.0.0.1", socket.AF_INET)
    with answering(web.Application([("/callback", Landing)]), sockets):
        yield f"http://localhost:{sockets[0].getsockname()[1]}/callback"


@pytest.fixture(scope="module")
def application(commons: Any, callback: str) -> dict[str, str]:
    """A registered application."""
    made: dict[str, str] = json.loads(commons.run("client", "create", "Variant browser", "--urls", callback))
    return made


def ask(person: Visitor, application: dict[str, str], callback: str, **more: str) -> None:
    query = {
        "client_id": application["client_id"],
        "response_type": "code",
        "redirect_uri": callback,
        "scope": "openid user data",
        "state": "s",
        **more,
    }
    person.open(f"/user/oauth2/authorize?{urlencode(query)}")


def sign_in(person: Visitor, name: str, password: str) -> None:
    person.find("input[name=username]").send_keys(name)
    person.find("input[name=password]").send_keys(password + Keys.ENTER)


def landed(person: Visitor, callback: str) -> dict[str, list[str]]:
    WebDriverWait(person.driver, 30).until(lambda driver: driver.current_url.startswith(callback))
    return parse_qs(urlsplit(person.driver.current_url).query)


def test_a_person_allows_an_application_by_keyboard_is_not_asked_again_and_ends_it(
    visitor: Visitor,
    sign_up: Any,
    application: dict[str, str],
    callback: str,
) -> None:
    password = sign_up.password("olga")
    ask(visitor, application, callback)
    sign_in(visitor, "olga", password)
    visitor.wait_for_text("Variant browser asks for access")
    visitor.shoot("consent")
    assert visitor.driver.title.startswith("Variant browser")
    for _ in range(10):
        visitor.driver.switch_to.active_element.send_keys(Keys.TAB)
        if visitor.driver.switch_to.active_element.get_attribute("id") == "yes":
            break
    visitor.driver.switch_to.active_element.send_keys(Keys.ENTER)
    form = {"grant_type": "authorization_code", "code": landed(visitor, callback)["code"][0], "redirect_uri": callback}
    proof = (application["client_id"], application["client_secret"])
    tokens = requests.post(f"{visitor.origin}/user/oauth2/token", data=form, auth=proof, timeout=30).json()
    held = bearer(tokens["access_token"])
    assert requests.get(f"{visitor.origin}/user/user", headers=held, timeout=30).json()["username"] == "olga"
    ask(visitor, application, callback)
    assert "code" in landed(visitor, callback)
    ask(visitor, application, callback, prompt="login")
    sign_in(visitor, "olga", password)
    assert "code" in landed(visitor, callback)
    visitor.open("/portal/login?next=/portal/profile")
    button = visitor.find("button[aria-label='End Variant browser']")
    visitor.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    visitor.shoot("applications")
    button.send_keys(Keys.ENTER)
    visitor.wait_until_gone("#applications")
    assert requests.get(f"{visitor.origin}/user/user", headers=held, timeout=30).status_code == 401
    ask(visitor, application, callback)
    visitor.find("#yes")


def test_a_person_says_no(
    visitor: Visitor,
    sign_up: Any,
    application: dict[str, str],
    callback: str,
) -> None:
    visitor.driver.set_window_size(390, 844)
    ask(visitor, application, callback)
    sign_in(visitor, "pavel", sign_up.password("pavel"))
    visitor.find("#no")
    visitor.shoot("consent-narrow")
    width = visitor.driver.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
    assert width <= 0
    visitor.driver.find_element(By.ID, "no").click()
    assert landed(visitor, callback)["error"] == ["access_denied"]


def test_a_faulty_request_is_told_and_leads_nowhere(
    visitor: Visitor,
    application: dict[str, str],
    callback: str,
) -> None:
    ask(visitor, application, callback, scope="openid everything")
    visitor.wait_for_text("scope may be")
    visitor.shoot("authorize-error")
    assert (visitor.driver.title, urlsplit(visitor.driver.current_url).path) == (
        "Bad Request",
        "/user/oauth2/authorize",
    )
