"""S29: dictionaries that somebody sends to slow the commons down, or to see what he may not."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from tests.dictionary_changes import ORIGINAL, Changes, Files, case, changes, files, tag
from tests.submission_service import SMALL, SNAPSHOT, Api
from tests.tokens import bearer

from commonshub.submission.app import SubmissionApp

__all__ = ["changes", "files", "tag"]


@pytest.fixture(scope="module")
def running(run_service: Callable[..., Any]) -> Any:
    settings = {"max_dictionary_bytes": 200_000}
    running = run_service(SubmissionApp, Commons={"dictionary": str(SMALL)}, SubmissionApp=settings)
    running.hold(SNAPSHOT)
    return running


@pytest.fixture(scope="module")
def api(running: Any, token: Callable[..., str]) -> Api:
    return Api(running.url, bearer(token("admin"))).found()


@pytest.fixture
def sql(running: Any) -> Any:
    def run(text: str, **parameters: Any) -> list[Any]:
        return running.app.database.call(lambda connection: connection.execute(sa.text(text), parameters).all())

    return run


@pytest.mark.parametrize(
    ("user", "scope", "preview", "apply"),
    [
        (None, [], 401, 401),
        ("alice", ["admin"], 403, 403),
        ("admin", [], 200, 403),
        ("admin", ["admin"], 200, 200),
    ],
    ids=["nobody", "a submitter", "an administrator's workspace", "an administrator"],
)
def test_s29_only_administrators_look_and_only_by_their_own_session_they_change(
    running: Any, changes: Changes, token: Callable[..., str], sql: Any,
    user: str | None, scope: list[str], preview: int, apply: int,
) -> None:  # fmt: skip
    headers = bearer(token(user, scope=["openid", "user", *scope])) if user else {}
    theirs = Changes(Api(running.url, headers))
    assert theirs.preview(ORIGINAL).status_code == preview
    assert theirs.api("GET", "/_dictionary/_versions").status_code == preview
    seen = changes.seen(ORIGINAL)
    before = sql("select coalesce(max(id), 0) from auth.audit")[0][0]
    assert theirs.put(ORIGINAL, seen).status_code == apply
    rows = sql("select username, action, decision, detail from auth.audit where id > :b", b=before)
    assert [(row.username, row.action, row.decision) for row in rows] == (
        [] if user is None else [(user, "apply_dictionary", "allowed" if apply == 200 else "denied")]
    )
    if apply == 200:
        assert rows[0].detail["digest"] == seen["digest"]


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def with_property(schema: Any) -> Callable[[Files], Any]:
    def edit(files: Files) -> Any:
        files["case.yaml"]["properties"]["odd"] = schema
        return files

    return edit


def bomb(files: Files) -> Any:
    definitions = files["_definitions.yaml"]
    for n in range(30):
        definitions[f"b{n}"] = {f"x{k}": {"$ref": f"_definitions.yaml#/b{n + 1}"} for k in range(10)}
    definitions["b30"] = {"type": "string"}
    return with_property({"$ref": "_definitions.yaml#/b0", "type": "string"})(files)


@pytest.mark.parametrize(
    ("edit", "status", "words"),
    [
        (lambda _: [], 400, "one JSON object"),
        (lambda _: {"case.yaml": 1}, 400, "case.yaml"),
        (with_property({"type": "no such"}), 400, "no JSON Schema"),
        (with_property({"$ref": "/etc/passwd#/root"}), 400, "no file /etc/passwd"),
        (with_property({"$ref": "http://127.0.0.1/x.yaml#/y"}), 400, "no file http"),
        (with_property({"type": "string", "pattern": "^(?=(a+)+$)"}), 400, "linear time"),
        (with_property(nested(500)), 400, "nested"),
        (bomb, 400, "values once its references are resolved"),
        (lambda files: {**files, "x.yaml": "x" * 200_000}, 413, "at most 200000 bytes"),
    ],
)
def test_s29_a_dictionary_that_is_a_trap_is_refused(
    changes: Changes, files: Files, edit: Callable[[Files], Any], status: int, words: str
) -> None:
    answer = changes.preview(edit(files))
    assert (answer.status_code, words in answer.json()["message"]) == (status, True), answer.text[:500]


def test_s29_a_pattern_that_tempts_takes_no_time(api: Api, changes: Changes, files: Files, tag: str) -> None:
    assert api.put(case(tag, primary_site="a" * 60 + "!"))["success"]
    files["case.yaml"]["properties"]["primary_site"] = {"type": "string", "pattern": "^(a+)+$"}
    seen = changes.seen(files)
    assert any(each["rule"] == "pattern" for found in seen["invalid"] for each in found["rules"])
    changes.apply(files)
    answer = api.put(case(f"{tag}2", primary_site="a" * 60 + "!"))
    assert answer["entities"][0]["errors"][0]["rule"] == "pattern"
