"""A person at a real browser."""

from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

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

    def choose(self, css: str, text: str, timeout_s: float = 30) -> None:
        """Click the first element that reads `text`."""

        def look(driver: Chrome) -> bool:
            found = [each for each in driver.find_elements(By.CSS_SELECTOR, css) if each.text == text]
            found[0].click()
            return True

        WebDriverWait(self.driver, timeout_s, ignored_exceptions=[Exception]).until(look)

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

    def complaints(self) -> list[str]:
        """What the browser has found fault with since it was last asked."""
        return [each["message"] for each in self.driver.get_log("browser") if each["level"] in ("SEVERE", "WARNING")]

    def sign_in(self, username: str, password: str) -> None:
        self.open("/portal/login")
        self.find("input[name=username]").send_keys(username)
        self.find("input[name=password]").send_keys(password + Keys.ENTER)
        WebDriverWait(self.driver, 30).until(lambda driver: driver.current_url.startswith(f"{self.origin}/portal/"))
