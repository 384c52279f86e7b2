"""What a person sees, in a real browser. Screenshots go to the folder `screenshots` of the checkout."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
QUIET = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --window-size=1280,1000"
)


class Visitor:
    """A person at a browser."""

    def __init__(self, driver: Chrome, origin: str) -> None:
        self.driver, self.origin = driver, origin

    def open(self, path: str) -> None:
        self.driver.get(self.origin + path)

    def find(self, css: str, timeout_s: float = 30) -> Any:
        """The first element that is displayed, waited for."""

        def look(driver: Chrome) -> Any:
            return next((each for each in driver.find_elements(By.CSS_SELECTOR, css) if each.is_displayed()), None)

        return WebDriverWait(self.driver, timeout_s, ignored_exceptions=[Exception]).until(look)

    def wait_until_gone(self, css: str, timeout_s: float = 60) -> None:
        def look(driver: Chrome) -> bool:
            return not any(each.is_displayed() for each in driver.find_elements(By.CSS_SELECTOR, css))

        WebDriverWait(self.driver, timeout_s, ignored_exceptions=[Exception]).until(look)

    def text(self) -> str:
        return str(self.driver.find_element(By.TAG_NAME, "body").text)

    def wait_for_text(self, text: str, timeout_s: float = 60) -> None:
        WebDriverWait(self.driver, timeout_s, ignored_exceptions=[Exception]).until(lambda _: text in self.text())

    def scroll_to(self, css: str, timeout_s: float = 60) -> None:
        """Scroll a notebook up, again and again, until an element shows; cells out of sight are not in the page."""
        scroll = """
            const panel = document.querySelector('.jp-WindowedPanel-outer');
            panel.scrollTop = panel.scrollTop > 0 ? panel.scrollTop - 250 : panel.scrollHeight;
        """

        def look(driver: Chrome) -> bool:
            found = driver.find_elements(By.CSS_SELECTOR, css)
            if found:
                driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found[0])
            else:
                driver.execute_script(scroll)
            return bool(found) and found[0].is_displayed()

        WebDriverWait(self.driver, timeout_s, poll_frequency=0.2, ignored_exceptions=[Exception]).until(look)

    def shoot(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))

    def sign_in(self, username: str, password: str) -> None:
        self.open("/portal/login")
        self.find("input[name=username]").send_keys(username)
        self.find("input[name=password]").send_keys(password + Keys.ENTER)
        WebDriverWait(self.driver, 30).until(lambda driver: driver.current_url.startswith(f"{self.origin}/portal/"))


@pytest.fixture
def visitor(commons: Any, tmp_path: Path) -> Iterator[Visitor]:
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium and its driver must be there in CI")
        pytest.skip("no Chromium with its driver on this machine")
    options = ChromeOptions()
    options.binary_location = browser
    for argument in [*QUIET.split(), f"--user-data-dir={tmp_path / 'profile'}"]:
        options.add_argument(argument)
    chrome = Chrome(options=options, service=ChromeService(driver))
    yield Visitor(chrome, commons.origin)
    chrome.quit()


def test_the_landing_page_says_what_this_commons_holds(visitor: Visitor) -> None:
    visitor.open("/")
    visitor.find("main h1")
    assert visitor.driver.current_url == f"{visitor.origin}/portal/"
    visitor.shoot("landing")
    assert "NCCTG" in visitor.text()


def test_signing_in_leads_back_to_the_portal_and_leaves_no_cookie_for_workspaces(
    visitor: Visitor, sign_up: Any
) -> None:
    visitor.sign_in("bella", sign_up.password("bella"))
    visitor.open("/portal/profile")
    visitor.wait_for_text("bella")
    visitor.shoot("profile")
    cookies = visitor.driver.execute_cdp_cmd("Network.getAllCookies", {})["cookies"]
    # The hub's session id signs nobody in: it only says which tokens end together, and single-user servers need it.
    credentials = [cookie for cookie in cookies if cookie["name"] != "jupyterhub-session-id"]
    assert credentials
    assert all(each["path"].startswith(("/jupyter/hub/", "/portal/", "/user/")) for each in credentials), cookies


def test_the_widget_shows_the_files_of_the_commons(visitor: Visitor, sign_up: Any) -> None:
    visitor.sign_in("carla", sign_up.password("carla"))
    visitor.open("/jupyter/hub/spawn")
    WebDriverWait(visitor.driver, 90).until(lambda driver: "/user/carla/" in driver.current_url)
    visitor.open("/jupyter/user/carla/lab/tree/Start%20here.ipynb")
    visitor.find(".jp-NotebookPanel .jp-Cell", 90)
    visitor.wait_until_gone(".jp-Spinner, #jupyterlab-splash")
    for item in ("Run", "Run All Cells"):
        menu = f"//*[contains(@class,'lm-MenuBar-itemLabel') or contains(@class,'lm-Menu-itemLabel')][text()='{item}']"
        WebDriverWait(visitor.driver, 30, ignored_exceptions=[Exception]).until(
            lambda driver, menu=menu: (driver.find_element(By.XPATH, menu).click(), True)[1]
        )
    visitor.scroll_to(".jp-OutputArea-output .jupyter-widgets input", 150)
    visitor.shoot("widget")
