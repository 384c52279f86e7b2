"""What a person sees, in a real browser. Screenshots go to the folder `screenshots` of the checkout."""

from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


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
    # Before there is a kernel nothing is run, and nothing says so.
    visitor.find(".jp-Notebook-ExecutionIndicator[data-status='idle']", 90)
    for item in ("Run", "Run All Cells"):
        menu = f"//*[contains(@class,'lm-MenuBar-itemLabel') or contains(@class,'lm-Menu-itemLabel')][text()='{item}']"
        WebDriverWait(visitor.driver, 30, ignored_exceptions=[Exception]).until(
            lambda driver, menu=menu: (driver.find_element(By.XPATH, menu).click(), True)[1]
        )
    visitor.scroll_to(".jp-OutputArea-output .jupyter-widgets input", 150)
    visitor.shoot("widget")
