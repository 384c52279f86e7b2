"""What is wrong, as a notebook shows it."""

import re
from typing import Any

from commonshub.client import Faults


def fault(row: Any, **more: Any) -> dict[str, Any]:
    told = {"column": "sex", "value": "x", "message": "'x' is not one of", "suggestion": "Did you mean 'xx'?"}
    return {"row": row, "submitter_id": f"s{row}", **told, **more}


def lines(html: str) -> list[list[str]]:
    body = html.partition("<tbody>")[2]
    return [re.findall(r"<td[^>]*>(.*?)</td>", line) for line in re.findall(r"<tr>(.*?)</tr>", body)]


def test_each_fault_is_a_line_with_what_to_do() -> None:
    html = Faults([fault(3), fault(4, message="other")])._repr_html_()
    assert lines(html)[0] == ["3", "s3", "sex", "x", "&#x27;x&#x27; is not one of", "Did you mean &#x27;xx&#x27;?"]
    assert "2 faults in 2 rows" in html


def test_the_same_fault_of_many_rows_is_one_line() -> None:
    html = Faults([fault(row) for row in range(2000)])._repr_html_()
    assert [line[:2] for line in lines(html)] == [["0 and 1999 more", ""]]


def test_faults_of_the_whole_request_stay_apart() -> None:
    assert len(lines(Faults([fault(None) for _ in range(5)])._repr_html_())) == 5


def test_values_of_others_are_no_markup_and_not_endless() -> None:
    html = Faults([fault(0, value="<script>" * 1000)])._repr_html_()
    assert ("<script>" in html, len(html) < 3000) == (False, True)


def test_no_fault_says_so() -> None:
    none = Faults([])
    assert (bool(none), len(none.frame), "No faults" in none._repr_html_()) == (False, 0, True)


def test_faults_are_a_sequence_and_a_table() -> None:
    found = Faults([fault(0), fault(1)])
    assert (found[1]["row"], len(found[:1]), list(found.frame["row"])) == (1, 1, [0, 1])
