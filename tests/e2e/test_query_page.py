"""The query page in a real browser: GraphiQL with the user's own token."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from tests.waiting import eventually
from visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

EDITOR = ".graphiql-query-editor .CodeMirror"
RUN = ".graphiql-execute-button"
ATTACK = '{ case { id } } # "><img src=x onerror="window.attacked=1"><script>window.attacked=1</script>'


@pytest.fixture(scope="module")
def password(sign_up: Any) -> str:
    return str(sign_up.password("quentin"))


@pytest.fixture
def user(visitor: Visitor, password: str) -> Visitor:
    """Somebody signed in, who has seen no complaint of the browser yet."""
    visitor.sign_in("quentin", password)
    visitor.complaints()
    return visitor


def test_an_example_runs_and_shows_data(user: Visitor) -> None:
    user.open("/portal/query")
    user.find(EDITOR)
    Select(user.find("#example")).select_by_visible_text("Count the records of every type")
    user.find(RUN).click()
    user.wait_for_text('"_case_count": 801')
    user.wait_for_text("Answered after")
    user.shoot("query")
    assert user.complaints() == []


def test_in_a_narrow_window_the_answer_is_below_the_query(user: Visitor) -> None:
    user.driver.set_window_size(390, 844)
    user.open("/portal/query")
    user.find(EDITOR)
    user.find(RUN).click()
    user.wait_for_text('"_case_count": 801')
    query, answer = (user.find(css).rect for css in (".graphiql-query-editor", ".graphiql-response"))
    assert answer["y"] >= query["y"] + query["height"]
    assert answer["width"] > 390 / 2
    across = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert user.driver.execute_script(across) == 0
    user.shoot("query-narrow")


def test_every_example_is_answered(user: Visitor) -> None:
    user.open("/portal/query")
    user.find(EDITOR)
    answers = user.driver.execute_async_script(
        """
        const done = arguments[arguments.length - 1];
        const { ask } = await import("/portal/static/commons.js");
        const answers = [];
        for (const option of document.querySelectorAll("#example option[value]:not([value=''])")) {
            const answer = await ask("POST", "/api/v0/submission/graphql", { query: option.value });
            answers.push([option.textContent, answer.status]);
        }
        done(answers);
        """
    )
    assert len(answers) > 12
    assert [title for title, status in answers if status != 200] == []


@pytest.mark.parametrize("form", ["TSV", "Parquet"])
def test_an_answer_is_downloaded_as_a_table(user: Visitor, tmp_path: Path, form: str) -> None:
    user.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    query = '{ case(first: 0, order_by_asc: "submitter_id") { submitter_id samples(first: 0) { submitter_id } } }'
    user.open(f"/portal/query#query={quote(query)}")
    user.find(EDITOR)
    Select(user.find("#form")).select_by_visible_text(form)
    user.find("#download").click()
    name = f"case.{form.lower()}"
    user.wait_for_text(f"{name}, ")
    file = tmp_path / name
    eventually(file.exists)
    if form == "TSV":
        header, *rows = file.read_text().splitlines()
        assert (header, len(rows)) == ("submitter_id\tsamples.submitter_id", 801)
    assert f"{file.stat().st_size:,} bytes" in user.text()
    user.shoot("query-table")
    assert user.complaints() == []


def test_what_makes_no_table_is_told_beside_the_button(user: Visitor) -> None:
    query = "{ case { samples { id } demographics { id } } }"
    user.open(f"/portal/query#query={quote(query)}")
    user.find(EDITOR)
    user.find("#download").click()
    user.wait_for_text("No table: A table has one list below another")
    user.shoot("query-no-table")


def test_the_documentation_says_what_the_dictionary_says(user: Visitor) -> None:
    user.open("/portal/query?type=case")
    user.find(EDITOR)
    user.find(".graphiql-sidebar button[aria-label='Show Documentation Explorer']").click()
    user.find(".graphiql-doc-explorer input").send_keys("primary_site")
    user.choose(".graphiql-doc-explorer [role=option]", "case.primary_site")
    user.wait_for_text("One of: ")
    user.shoot("query-documentation")
    for dialog in ("Open short keys dialog", "Open settings dialog"):
        user.find(f".graphiql-sidebar button[aria-label='{dialog}']").click()
        user.find(".graphiql-dialog-close path")
        ActionChains(user.driver).send_keys(Keys.ESCAPE).perform()
        user.wait_until_gone(".graphiql-dialog")
    assert user.complaints() == []


def test_a_query_is_typed_and_sent_with_keys_alone_and_an_error_shows(user: Visitor) -> None:
    user.open(f"/portal/query#query={quote('{ nothing_of_the_kind }')}")
    user.find(EDITOR).click()
    ActionChains(user.driver).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
    user.wait_for_text("Cannot query field")
    user.wait_for_text("Answered with an error")
    ActionChains(user.driver).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).perform()
    ActionChains(user.driver).send_keys("{ _case_count").perform()
    ActionChains(user.driver).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
    user.wait_for_text('"_case_count": 801')
    user.shoot("query-typed")
    assert user.driver.switch_to.active_element.tag_name == "textarea"
    ActionChains(user.driver).send_keys(Keys.ESCAPE, Keys.TAB).perform()
    assert user.driver.switch_to.active_element.tag_name == "button"


def test_a_slow_query_tells_that_it_goes_on_and_can_be_stopped(user: Visitor) -> None:
    user.open("/portal/query?type=case")
    user.find(EDITOR)
    user.driver.execute_cdp_cmd("Network.enable", {})
    slow = {"offline": False, "latency": 20_000, "downloadThroughput": -1, "uploadThroughput": -1}
    user.driver.execute_cdp_cmd("Network.emulateNetworkConditions", slow)
    user.find(RUN).click()
    user.wait_for_text("The commons has been working on it for 2 s")
    user.find(RUN).click()
    user.wait_for_text("Stopped.")
    assert "Answered" not in user.text()


def test_a_link_carries_the_query_and_no_token(user: Visitor) -> None:
    user.open("/portal/query?type=sample")
    user.find(EDITOR)
    user.find("#share").click()
    user.wait_for_text("link")
    address = user.driver.current_url
    assert "#query=%7B%0A++sample" in address
    assert "eyJ" not in address
    user.open("/portal/")
    user.driver.get(address)
    user.find(EDITOR)
    user.wait_for_text("sample(first: 10)")


def test_what_a_hostile_link_brings_is_text_and_is_not_sent(user: Visitor) -> None:
    user.open(f"/portal/query#query={quote(ATTACK)}&variables={quote(ATTACK)}")
    user.find(EDITOR)
    user.wait_for_text("onerror")
    assert user.driver.execute_script("return window.attacked") is None
    assert "Answered" not in user.text()
    assert user.complaints() == []


def test_an_ended_session_leads_to_the_sign_in_and_back_to_what_was_written(user: Visitor, password: str) -> None:
    user.open("/portal/query")
    user.find(EDITOR)
    Select(user.find("#example")).select_by_visible_text("Sample: first records with what they belong to")
    user.wait_for_text("sample(first: 10)")
    user.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    user.find(RUN).click()
    user.find("input[name=username]").send_keys("quentin")
    user.find("input[name=password]").send_keys(password + Keys.ENTER)
    user.find(EDITOR)
    user.wait_for_text("sample(first: 10)")


def test_a_visitor_is_led_through_the_sign_in_to_the_type_he_chose(visitor: Visitor, password: str) -> None:
    visitor.open("/portal/dictionary/sample")
    visitor.find("a[href='/portal/query?type=sample']").click()
    visitor.find("input[name=username]").send_keys("quentin")
    visitor.find("input[name=password]").send_keys(password + Keys.ENTER)
    visitor.find(EDITOR)
    visitor.wait_for_text("sample(first: 10)")
