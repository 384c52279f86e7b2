"""The profile page by keyboard, and the portal's pages in a narrow window."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def exchange(origin: str, key: dict[str, str]) -> int:
    return requests.post(f"{origin}/user/credentials/api/access_token", json=key, timeout=30).status_code


def press(person: Visitor, *keys: str) -> None:
    """Keys to whatever has the focus."""
    for key in keys:
        person.driver.switch_to.active_element.send_keys(key)


def walk_to(person: Visitor, css: str) -> None:
    """Tab until an element has the focus."""
    for _ in range(60):
        press(person, Keys.TAB)
        if person.driver.switch_to.active_element in person.driver.find_elements(By.CSS_SELECTOR, css):
            return
    raise AssertionError(f"{css} cannot be reached by keyboard")


def saved_key(folder: Path) -> Any:
    def look(_: Any) -> Any:
        files = list(folder.glob("*.json"))
        return json.loads(files[0].read_text()) if files else None

    return look


def test_a_key_is_made_and_revoked_by_keyboard_alone(visitor: Visitor, sign_up: Any, tmp_path: Path) -> None:
    visitor.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    visitor.sign_in("dora", sign_up.password("dora"))
    visitor.open("/portal/profile")
    walk_to(visitor, "[data-create-key]")
    press(visitor, Keys.ENTER)
    key = WebDriverWait(visitor.driver, 30, ignored_exceptions=[ValueError]).until(saved_key(tmp_path))
    assert key.keys() == {"api_key", "key_id"}
    assert exchange(visitor.origin, key) == 200
    visitor.wait_for_text(key["key_id"])
    walk_to(visitor, f"[data-key='{key['key_id']}'] [data-revoke-key]")
    press(visitor, Keys.ENTER)
    visitor.find("#revoke[open]")
    press(visitor, Keys.ESCAPE)
    assert exchange(visitor.origin, key) == 200
    press(visitor, Keys.ENTER)
    visitor.find("#revoke[open]")
    press(visitor, Keys.TAB, Keys.ENTER)
    visitor.wait_for_text("The key was revoked.")
    assert exchange(visitor.origin, key) == 401
    assert key["key_id"] not in visitor.text()


@pytest.mark.parametrize("path", ["/portal/", "/portal/dictionary", "/portal/dictionary/imaging_file"])
def test_pages_fit_a_phone(visitor: Visitor, path: str) -> None:
    visitor.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    )
    visitor.open(path)
    visitor.find("main h1")
    width = visitor.driver.execute_script("return document.scrollingElement.scrollWidth")
    assert width <= 360


def test_the_dictionary_is_filtered_as_one_types(visitor: Visitor) -> None:
    visitor.open("/portal/dictionary")
    visitor.find("#filter").send_keys("karnofsky")
    visitor.wait_for_text("1 of 11 node types")
    shown = [each.text for each in visitor.driver.find_elements(By.CSS_SELECTOR, "#nodes h2") if each.is_displayed()]
    assert shown == ["Diagnosis"]
