"""Records as JSON: what is stored, what is refused, and what is told of it."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.submission_service import aliquot, case, demographic, fresh, only_error, sample


def test_g12_a_record_is_stored_with_what_the_commons_adds(api: Any) -> None:
    name = fresh()
    answer = api.put(case(name, primary_site="lung"))
    assert (answer["code"], answer["success"], answer["created_entity_count"]) == (200, True, 1)
    [entity] = answer["entities"]
    assert (entity["action"], entity["type"], entity["valid"]) == ("create", "case", True)
    assert entity["unique_keys"] == [{"project_id": "P-one", "submitter_id": name}]
    stored = api.export("case")[name]
    assert (stored["id"], stored["project_id"], stored["state"]) == (entity["id"], "P-one", "validated")
    assert stored["created_datetime"].endswith("+00:00")
    assert stored["primary_site"] == "lung"


def test_g09_post_creates_with_201_and_refuses_what_exists(api: Any) -> None:
    name = fresh()
    assert api("POST", "/P/one", case(name)).status_code == 201
    again = api("POST", "/P/one", case(name.upper()))
    assert again.status_code == 400
    error = only_error(again.json())
    assert "already exists in the DB" in error["message"]
    assert error["keys"] == ["project_id", "submitter_id"]


def test_links_within_a_request_work_in_any_order(api: Any) -> None:
    name = fresh()
    answer = api.put(sample(f"s-{name}", name), case(name))
    assert answer["success"], answer
    assert api.export("sample")[f"s-{name}"]["cases"][0]["submitter_id"] == name


def test_g21_links_are_found_without_regard_to_case(api: Any) -> None:
    name = fresh()
    assert api.put(case(name))["success"]
    assert api.put(sample(f"s-{name}", name.upper()))["success"]
    assert api.export("sample")[f"s-{name}"]["cases"][0]["submitter_id"] == name


def test_links_are_found_by_id(api: Any) -> None:
    name = fresh()
    id_ = api.put(case(name))["entities"][0]["id"]
    assert api.put(sample(f"s-{name}", name, cases={"id": id_}))["success"]


def test_g15_put_merges_and_null_clears(api: Any) -> None:
    name = fresh()
    api.put(case(name, primary_site="lung", disease_type="glioma"))
    answer = api.put(case(name, disease_type=None))
    assert (answer["updated_entity_count"], answer["entities"][0]["action"]) == (1, "update")
    stored = api.export("case")[name]
    assert (stored["primary_site"], "disease_type" in stored) == ("lung", False)


def test_a_child_can_be_moved_to_another_parent(api: Any) -> None:
    one, two = fresh(), fresh()
    api.put(case(one), case(two), sample(f"s-{one}", one))
    assert api.put(sample(f"s-{one}", two))["success"]
    assert [each["submitter_id"] for each in api.export("sample")[f"s-{one}"]["cases"]] == [two]


def test_many_to_many_links_accumulate(api: Any) -> None:
    name = fresh()
    api.put(case(name), sample(f"1-{name}", name), sample(f"2-{name}", name))
    for number in (1, 2):
        aliquot = {"type": "aliquot", "submitter_id": name, "samples": {"submitter_id": f"{number}-{name}"}}
        assert api.put(aliquot)["success"]
    assert len(api.export("aliquot")[name]["samples"]) == 2


def test_a_target_that_a_record_names_twice_is_one(api: Any) -> None:
    name = fresh()
    id_ = api.put(case(name), sample(f"1-{name}", name))["entities"][1]["id"]
    samples = [{"submitter_id": f"1-{name}"}, {"submitter_id": f"1-{name.upper()}"}, {"id": id_}]
    for _ in range(2):
        assert api.put({"type": "aliquot", "submitter_id": name, "samples": samples})["success"]
        assert len(api.export("aliquot")[name]["samples"]) == 1


def test_g15_null_removes_an_optional_link(api: Any) -> None:
    name = fresh()
    api.put(case(name, friends_of={"submitter_id": "e"}))
    assert api.put(case(name, friends_of=None))["success"]
    assert "friends_of" not in api.export("case")[name]


@pytest.mark.parametrize(
    ("document", "kind", "keys", "message"),
    [
        (case("x", experiments={"submitter_id": "zz"}), "INVALID_LINK", ["experiments"], "No link destination found"),
        ({"type": "case", "submitter_id": "x"}, "MISSING_PROPERTY", ["experiments"], "'experiments' is a required"),
        (case("x", primary_site=12), "INVALID_VALUE", ["primary_site"], "12 is not of type 'string', 'null'"),
        (case("x", disease_type="flu"), "ERROR", ["disease_type"], "'flu' is not one of ['melanoma', 'glioma', None]"),
        (case("x", foo=1), "ERROR", ["foo"], "'foo' was unexpected"),
        (case("x", type="trial"), "INVALID_TYPE", ["type"], "trial"),
        (case("x", type="project"), "INVALID_TYPE", ["type"], "project is not an entity that can be upload"),
        (case("x", project_id="P-two"), "INVALID_PERMISSIONS", ["project_id"], "P-two"),
        (case("x", id="1234"), "ERROR", ["id"], "does not match"),
        (case("x", experiments=[{"submitter_id": "e"}] * 2), "INVALID_LINK", ["experiments"], "has to be many_to_one"),
        (case("x", experiments=None), "INVALID_LINK", ["experiments"], "None is not valid under any of the given"),
        (case("x", experiments=[]), "INVALID_LINK", ["experiments"], "missing a required link"),
        (
            {"type": "experiment", "submitter_id": "x", "projects": {"code": "two"}},
            "INVALID_PERMISSIONS", ["projects"], "project",
        ),
        (
            {"type": "aliquot", "submitter_id": "x"},
            "INVALID_LINK", ["samples", "cases"], "Entity is missing a required link to samples or cases",
        ),
    ],
)  # fmt: skip
def test_a_fault_is_told_and_nothing_is_stored(
    api: Any, document: dict[str, Any], kind: str, keys: list[str], message: str
) -> None:
    good = fresh()
    response = api("PUT", "/P/one", [case(good), document])
    answer = response.json()
    assert (response.status_code, answer["code"], answer["success"]) == (400, 400, False)
    error = only_error(answer)
    assert (error["type"], error["keys"]) == (kind, keys)
    assert message in error["message"]
    assert [entity["valid"] for entity in answer["entities"]] == [True, False]
    assert answer["message"] == "Transaction aborted due to 1 invalid entity."
    assert good not in api.export("case")


def test_g17_all_faults_are_told_at_once(api: Any) -> None:
    name = fresh()
    answer = api.put(
        case(name),
        sample("a", name, is_ffpe="yes", longest_dimension="long"),
        sample("b", "nobody"),
        {"type": "demographic", "submitter_id": "d", "cases": {"submitter_id": name}, "seen_at": "yesterday"},
    )
    told = [[(error["type"], error["keys"]) for error in entity["errors"]] for entity in answer["entities"]]
    assert told == [
        [],
        [("INVALID_VALUE", ["is_ffpe"]), ("INVALID_VALUE", ["longest_dimension"])],
        [("INVALID_LINK", ["cases"])],
        [("ERROR", ["seen_at"])],
    ]


def test_exclusive_links_exclude_each_other(api: Any) -> None:
    name = fresh()
    api.put(case(name), sample(name, name))
    both = {"type": "aliquot", "submitter_id": name, "samples": {"submitter_id": name}, "cases": {"submitter_id": name}}
    assert "exclusive" in only_error(api.put(both))["message"]


def test_an_exclusive_link_can_be_exchanged(api: Any) -> None:
    name = fresh()
    api.put(case(name), sample(name, name))
    aliquot = {"type": "aliquot", "submitter_id": name}
    assert api.put({**aliquot, "samples": {"submitter_id": name}})["success"]
    assert not api.put({**aliquot, "cases": {"submitter_id": name}})["success"]
    assert api.put({**aliquot, "samples": None, "cases": {"submitter_id": name}})["success"]
    assert "samples" not in api.export("aliquot")[name]


@pytest.mark.parametrize("together", [True, False], ids=["in one request", "one after the other"])
def test_a_parent_with_one_child_takes_no_second(api: Any, together: bool) -> None:
    name = fresh()
    api.put(case(name))
    first, second = demographic(f"1-{name}", name), demographic(f"2-{name}", name)
    answer = api.put(first, second) if together else (api.put(first), api.put(second))[1]
    message = "'cases' link has to be one_to_one, target node case already has demographics"
    assert only_error(answer)["message"] == message


def test_the_only_child_of_a_parent_can_be_sent_again(api: Any) -> None:
    name = fresh()
    api.put(case(name), demographic(name, name))
    assert api.put(demographic(name, name))["success"]


def test_g11_a_record_of_another_project_cannot_be_linked_or_taken(api: Any) -> None:
    name = fresh()
    id_ = api.put(case(name), path="/P/two")["entities"][0]["id"]
    assert only_error(api.put(sample(name, name, cases={"id": id_})))["type"] == "INVALID_LINK"
    assert only_error(api.put(case(name, id=id_)))["type"] == "INVALID_PERMISSIONS"


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_key_given_twice_is_refused(api: Any, method: str) -> None:
    name = fresh()
    response = api(method, "/P/one", [case(name), case(name.upper())])
    assert response.status_code == 400
    assert only_error(response.json())["type"] == "NOT_UNIQUE"
    assert name not in api.export("case")


def test_an_id_cannot_get_another_key(api: Any) -> None:
    name = fresh()
    id_ = api.put(case(name))["entities"][0]["id"]
    answer = api.put(case(fresh(), id=id_))
    assert (answer["success"], only_error(answer)["type"]) == (False, "NOT_UNIQUE")


def test_a_key_cannot_get_another_id(api: Any) -> None:
    name = fresh()
    api.put(case(name))
    answer = api.put(case(name, id=str(uuid.uuid4())))
    assert "already exists in the DB" in only_error(answer)["message"]


def test_a_given_id_is_kept(api: Any) -> None:
    name, id_ = fresh(), str(uuid.uuid4())
    assert api.put(case(name, id=id_))["entities"][0]["id"] == id_
    assert api.put(case(name, id=id_))["updated_entity_count"] == 1


def test_g19_of_two_submissions_at_once_one_wins_and_the_other_is_told(api: Any) -> None:
    names = [fresh() for _ in range(8)]
    for name in names:
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _, name=name: api.put(case(name), method="POST"), range(4)))
        assert sorted(answer["code"] for answer in answers) == [201, 400, 400, 400]
        losers = [answer for answer in answers if not answer["success"]]
        assert all("already exists in the DB" in only_error(answer)["message"] for answer in losers)


def test_a_text_that_starts_with_a_colon_is_no_duplicate_key(api: Any) -> None:
    assert api.put(case(fresh(), primary_site=":lung"))["success"]


@pytest.mark.parametrize("name", ["bär", "名前", "a'b\"c", "x%y", "a\\b", "{}", "select 1; --"])
def test_any_text_round_trips(api: Any, name: str) -> None:
    name = f"{name}{fresh()}"
    assert api.put(case(name, primary_site=name))["success"]
    assert api.export("case")[name]["primary_site"] == name
    assert api.put(sample(name, name))["success"]


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (case("x" * 1001), 400),
        (case("é" * 501), 400),
        (case(""), 400),
        (case("x", submitter_id=["x"]), 400),
        (case("x", id=["x"]), 400),
        (case("x", type=["case"]), 400),
        (case("x", experiments={"id": ["x"]}), 400),
        (["nested"], 400),
        ("text", 400),
        (
            {"type": "reads_file", "submitter_id": "x", "file_name": "x", "file_size": 2**63, "md5sum": "0" * 32},
            400,
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_odd_values_are_refused_and_never_our_fault(api: Any, document: Any, status: int) -> None:
    response = api("PUT", "/P/one", [document])
    assert (response.status_code, response.json()["success"]) == (status, False)


def test_a_key_of_the_longest_kind_is_stored(api: Any) -> None:
    name = fresh().ljust(1000, "x")
    assert api.put(case(name))["success"]
    assert name in api.export("case")


@pytest.mark.parametrize("key", ["id", "code"])
def test_g05_an_experiment_names_its_project_by_id_or_code(api: Any, name: str, key: str) -> None:
    [project] = api("GET", "/P/one/export?node_label=project&format=json").json()["data"]
    response = api("PUT", "/P/one/", {"type": "experiment", "submitter_id": name, "projects": {key: project[key]}})
    assert (response.status_code, response.json()["created_entity_count"]) == (200, 1)


def test_g07_a_target_that_is_not_there_is_named(api: Any, name: str) -> None:
    response = api("PUT", "/P/one", sample(name, "zz"))
    answer = response.json()
    error = only_error(answer)
    assert (response.status_code, answer["code"], error["keys"], error["type"]) == (400, 400, ["cases"], "INVALID_LINK")
    keys = "unique_keys='[{'project_id': 'P-one', 'submitter_id': 'zz'}]'"
    assert error["message"] == f"No link destination found for cases, {keys}"


def test_g08_a_wrong_type_is_told_of_the_record_that_has_it(api: Any, name: str) -> None:
    documents = [case(name), sample(name, name), demographic(name, name, year_of_birth="1900")]
    answer = api.put(*documents)
    assert [[(error["keys"], error["type"]) for error in entity["errors"]] for entity in answer["entities"]] == [
        [], [], [(["year_of_birth"], "INVALID_VALUE")],
    ]  # fmt: skip


@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
def test_g09_an_example_set_is_created_once(api: Any, name: str, together: bool) -> None:
    documents = [case(name), sample(name, name), demographic(name, name), aliquot(name, name)]
    requests = [documents] if together else [[document] for document in documents]
    first, second = ([api("POST", "/P/one", each) for each in requests] for _ in range(2))
    assert {response.status_code for response in first} == {201}
    assert {response.status_code for response in second} == {400}
    told = [entity["errors"] for response in second for entity in response.json()["entities"]]
    assert [len(errors) for errors in told] == [1] * len(documents)
    assert all("already exists in the DB" in error["message"] for [error] in told)


def test_g10_a_record_of_another_project_is_not_taken_by_its_link(api: Any) -> None:
    answer = api.put({"type": "experiment", "submitter_id": "e", "projects": {"code": "two"}})
    assert (answer["code"], answer["entity_error_count"]) == (400, 1)
    assert only_error(answer)["type"] == "INVALID_PERMISSIONS"


@pytest.mark.parametrize("change", [{"submitter_id": None}, {"cases": None}, {"cases": {"submitter_id": None}}])
def test_g15_null_does_not_clear_what_is_required(api: Any, name: str, change: dict[str, Any]) -> None:
    api.put(case(name), sample(name, name, is_ffpe=True))
    before = api.export("sample")[name]
    assert api("PUT", "/P/one", {**sample(name, name, is_ffpe=False), **change}).status_code == 400
    assert api.export("sample")[name] == before


@pytest.mark.parametrize(
    ("moment", "kinds"),
    [
        ("2020-02-29T23:59:59Z", []),
        ("2020-02-29T23:59:59.123456+01:00", []),
        ("2020-02-29t23:59:59z", []),
        (None, []),
        ("2021-02-29T00:00:00Z", ["ERROR"]),
        ("2020-02-29", ["ERROR"]),
        ("yesterday", ["ERROR"]),
        (12, ["ERROR"]),
    ],
)
def test_g16_a_moment_is_written_as_rfc_3339_has_it(api: Any, name: str, moment: Any, kinds: list[str]) -> None:
    api.put(case(name))
    answer = api.put(demographic(name, name, seen_at=moment))
    assert [error["type"] for error in answer["entities"][0]["errors"]] == kinds
    assert answer["success"] is not bool(kinds)
