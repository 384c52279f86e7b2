"""Dictionaries: what loads, what is refused and how the fault is told."""

import http.server
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.dictionaries import FOLDERS, SMALL, folder

from commonshub.core.dictionary import Dictionary, Link, load, validation_schema
from commonshub.core.errors import NotFound, Unavailable
from commonshub.core.graph import Graph

SITE = "primary_site: {type: string}"


@pytest.fixture(scope="module")
def small() -> Dictionary:
    return load(str(SMALL))


@pytest.mark.parametrize("name", FOLDERS)
def test_published_dictionaries_load(name: str) -> None:
    dictionary = load(folder(name))
    assert {"program", "project"} <= set(dictionary.nodes)
    assert all(link.target in dictionary.nodes for node in dictionary.nodes.values() for link in node.links)


def test_nodes_are_known_by_id_without_what_holds_no_records(small: Dictionary) -> None:
    assert set(small.nodes) == {
        "program", "project", "experiment", "case", "demographic", "sample", "aliquot", "reads_file",
    }  # fmt: skip


def test_the_document_has_what_clients_expect(small: Dictionary) -> None:
    assert {"_definitions", "_terms", "_settings", "metaschema", "case"} <= set(small.document)
    assert "UUID" in small.document["_definitions"]
    assert "$ref" not in json.dumps({name: small.document[name] for name in small.nodes})


def test_properties_carry_their_kind(small: Dictionary) -> None:
    known = small.nodes["demographic"].properties
    assert {name: known[name].kind for name in ("gender", "year_of_birth", "age", "alive", "seen_at")} == {
        "gender": "string", "year_of_birth": "integer", "age": "number", "alive": "boolean", "seen_at": "string",
    }  # fmt: skip
    assert (small.nodes["case"].properties["consent_codes"].item_kind, known["gender"].enum) == (
        "string",
        ("female", "male", "unknown"),
    )


def test_a_description_may_come_from_the_term(small: Dictionary) -> None:
    assert small.nodes["demographic"].properties["age"].description == "Years since birth."


def test_links_are_no_properties(small: Dictionary) -> None:
    assert "cases" not in small.nodes["sample"].properties
    assert small.nodes["sample"].links == (
        Link("cases", "samples", "derived_from", "sample", "case", "many_to_one", True),
    )


def test_backlinks_are_the_links_that_point_here(small: Dictionary) -> None:
    assert {link.source for link in small.backlinks("case")} == {"demographic", "sample", "aliquot"}


def test_groups_name_their_members(small: Dictionary) -> None:
    (group,) = small.nodes["aliquot"].groups
    assert (group.names, group.exclusive, group.required) == (("samples", "cases"), True, True)


def test_unique_keys_leave_out_the_id(small: Dictionary) -> None:
    assert small.nodes["case"].unique_keys == (("project_id", "submitter_id"),)
    assert small.nodes["project"].unique_keys == (("code",),)


def test_file_nodes_are_told_by_category(small: Dictionary) -> None:
    assert [node.id for node in small.nodes.values() if node.is_file] == ["reads_file"]


@pytest.mark.parametrize(
    ("node", "name", "value", "allowed"),
    [
        ("case", "primary_site", None, True),
        ("case", "disease_type", None, True),
        ("demographic", "seen_at", None, True),
        ("sample", "cases", None, False),
        ("aliquot", "samples", None, True),
        ("case", "submitter_id", None, False),
    ],
)
def test_null_is_allowed_exactly_for_what_is_optional(
    small: Dictionary, node: str, name: str, value: Any, allowed: bool
) -> None:
    from jsonschema_rs import Draft4Validator

    schema = validation_schema(small.nodes[node])["properties"][name]
    assert Draft4Validator(schema).is_valid(value) is allowed


def test_the_answered_schema_is_the_strict_one(small: Dictionary) -> None:
    validation_schema(small.nodes["case"])
    assert small.document["case"]["properties"]["disease_type"] == {"enum": ["melanoma", "glioma"]}


def test_the_digest_follows_the_content(tmp_path: Path, small: Dictionary) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(SMALL, copy)
    same = load(str(copy)).digest
    (copy / "_settings.yaml").write_text("enable_case_cache: true")
    assert (same == small.digest, load(str(copy)).digest == small.digest) == (True, False)


@pytest.fixture
def as_json(tmp_path: Path) -> Path:
    import yaml

    path = tmp_path / "dictionary.json"
    path.write_text(json.dumps({file.name: yaml.safe_load(file.read_text()) for file in SMALL.glob("*.yaml")}))
    return path


def test_one_json_file_is_the_same_dictionary(as_json: Path, small: Dictionary) -> None:
    assert load(str(as_json)).digest == small.digest


def test_a_url_is_the_same_dictionary(as_json: Path, small: Dictionary) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/d.json" else 404)
            self.end_headers()
            self.wfile.write(as_json.read_bytes())

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        try:
            assert load(f"{url}/d.json").digest == small.digest
            with pytest.raises(Unavailable, match="answers 404"):
                load(f"{url}/other.json")
        finally:
            server.shutdown()


def test_a_place_without_a_dictionary_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        load(str(tmp_path / "nowhere"))


def test_a_broken_definition_that_nobody_uses_is_let_be(edited: Callable[..., str]) -> None:
    folder = edited("_definitions.yaml", "id: _definitions", 'id: _definitions\nunused: {$ref: "#/nothing"}')
    assert load(folder).nodes


def test_a_dictionary_without_faults_loads_nothing_to_guess_what_was_meant() -> None:
    code = (
        "import sys; from commonshub.core.dictionary import load; load(sys.argv[1]); print('rapidfuzz' in sys.modules)"
    )
    for name in ("demo", "bloodpac"):
        if FOLDERS[name].exists():
            command = [sys.executable, "-P", "-c", code, str(FOLDERS[name])]
            assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("required", ["[]", "[type, type, submitter_id, submitter_id]"])
def test_a_list_of_required_names_that_draft_4_would_not_take_is_taken(
    edited: Callable[..., str], required: str
) -> None:
    from jsonschema_rs import Draft4Validator

    node = load(edited("case.yaml", "required: [type, submitter_id, experiments]", f"required: {required}")).nodes[
        "case"
    ]
    takes = Draft4Validator(validation_schema(node)).is_valid
    assert (takes({}), takes({"type": "case", "submitter_id": "x"})) == (required == "[]", True)


def test_what_is_referred_to_wins_over_what_stands_beside(edited: Callable[..., str]) -> None:
    folder = edited("case.yaml", SITE, 'primary_site: {$ref: "_definitions.yaml#/state", default: x}')
    assert load(folder).document["case"]["properties"]["primary_site"]["default"] == "validated"


def test_a_date_in_yaml_stays_text(edited: Callable[..., str]) -> None:
    folder = edited("case.yaml", "enum: [melanoma, glioma]", "enum: [2020-01-01]")
    assert load(folder).nodes["case"].properties["disease_type"].enum == ("2020-01-01",)


def test_items_may_have_a_schema_each(edited: Callable[..., str]) -> None:
    folder = edited("case.yaml", SITE, "primary_site: {type: array, items: [{type: integer}, {type: integer}]}")
    assert load(folder).nodes["case"].properties["primary_site"].item_kind == "integer"


@pytest.mark.parametrize("null", ["{type: 'null'}", "{enum: [null]}"])
def test_null_among_the_alternatives_stays_allowed(edited: Callable[..., str], null: str) -> None:
    from jsonschema_rs import Draft4Validator

    node = load(edited("case.yaml", SITE, f"primary_site: {{oneOf: [{{type: string}}, {null}]}}")).nodes["case"]
    assert Draft4Validator(validation_schema(node)["properties"]["primary_site"]).is_valid(None)


PROPERTY_KEYS = [
    "title: A", "description: A", "term: {description: A, termDef: {term: A, source: caDSR, cde_id: 1}}", "terms: [{}]",
    "systemAlias: node_id", "enumDef: {a: {description: A}}", "deprecated_enum: [a]", "downloadable: true",
    "default: x", "comment: A", "format: date-time", "pattern: '^x$'", "maxLength: 3", "note: A", "deprecated: false",
]  # fmt: skip
NODE_KEYS = [
    "namespace: 'https://example.org'", "program: '*'", "project: '*'", "submittable: true", "validators: null",
    "validators: []", "constraints: null", "root: '*'", "schema: x", "deprecated: [primary_site]", "downloadable: true",
    "previous_version_downloadable: true", "preferred: [primary_site]", "additionalProperties: true",
]  # fmt: skip


@pytest.mark.parametrize("key", PROPERTY_KEYS)
def test_every_key_of_a_property_is_taken(edited: Callable[..., str], key: str) -> None:
    dictionary = load(edited("case.yaml", SITE, f"primary_site: {{type: string, {key}}}"))
    assert dictionary.document["case"]["properties"]["primary_site"].keys() == {"type", key.partition(":")[0]}
    assert dictionary.nodes["case"].properties["primary_site"].kind == "string"


@pytest.mark.parametrize("key", NODE_KEYS)
def test_every_key_of_a_node_type_is_taken(edited: Callable[..., str], key: str) -> None:
    folder = edited("case.yaml", "additionalProperties: false", key)
    assert key.partition(":")[0] in load(folder).document["case"]


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ("{type: string}", "string"),
        ("{type: integer}", "integer"),
        ("{type: number}", "number"),
        ("{type: boolean}", "boolean"),
        ("{type: array, items: {type: integer}}", "array"),
        ("{type: [integer, string]}", "integer"),
        ("{type: ['null', number]}", "number"),
        ("{enum: [a, b]}", "string"),
        ("{oneOf: [{type: integer}, {type: 'null'}]}", "integer"),
        ("{anyOf: [{type: integer}, {type: string}]}", "string"),
        ("{type: object}", "string"),
        ("{}", "string"),
    ],
)
def test_the_kind_of_a_property_is_its_first_type(edited: Callable[..., str], schema: str, kind: str) -> None:
    assert (
        load(edited("case.yaml", SITE, f"primary_site: {schema}")).nodes["case"].properties["primary_site"].kind == kind
    )


def test_several_references_are_merged_and_the_last_one_wins(edited: Callable[..., str]) -> None:
    both = '{$ref: "_terms.yaml#/age", $ref2: "_definitions.yaml#/state"}'
    schema = load(edited("case.yaml", SITE, f"primary_site: {both}")).document["case"]["properties"]["primary_site"]
    assert schema.keys() == {"description", "termDef", "default", "enum"}


def test_groups_of_links_may_be_nested(edited: Callable[..., str]) -> None:
    old = "      - {name: cases, backref: aliquots"
    new = "      - subgroup:\n        - {name: cases, backref: aliquots"
    node = load(edited("aliquot.yaml", old, new)).nodes["aliquot"]
    assert (node.groups[0].names, [link.name for link in node.links]) == (("samples", "cases"), ["samples", "cases"])


def test_what_every_deployed_dictionary_has_is_taken_and_holds_no_links_to_the_root(as_json: Path) -> None:
    files = json.loads(as_json.read_text())
    plain = {"category": "internal", "title": "x", "additionalProperties": False, "links": []}
    link = {
        "name": "roots", "backref": "data_releases", "label": "describes", "target_type": "root",
        "multiplicity": "many_to_one", "required": True,
    }  # fmt: skip
    files["root.yaml"] = {**plain, "id": "root", "properties": {"id": {"enum": ["root"]}}}
    files["data_release.yaml"] = {
        **plain, "id": "data_release", "links": [link],
        "properties": {"id": {}, "name": {"type": "string"}, "roots": {"$ref": "_definitions.yaml#/parent"}},
    }  # fmt: skip
    files["metaschema.yaml"] = {"id": "metaschema"}
    of_cases = {**link, "name": "cases", "target_type": "case"}
    files["data_release.yaml"]["links"] = [{"required": True, "subgroup": [link, of_cases]}]
    files["data_release.yaml"]["properties"]["cases"] = {"$ref": "_definitions.yaml#/parent"}
    files["projects/P/case.yaml"] = {"required": ["primary_site"]}
    for names in (files.keys(), files.keys() - {"root.yaml"}):
        as_json.write_text(json.dumps({name: files[name] for name in names}))
        dictionary = load(str(as_json))
        assert ("root" in dictionary.nodes, "root" in dictionary.document) == (False, "root.yaml" in names)
        assert [each.name for each in dictionary.nodes["data_release"].links] == ["cases"]
        assert [each.names for each in dictionary.nodes["data_release"].groups] == [("cases",)]
        assert dictionary.nodes["data_release"].properties.keys() == {"id", "name"}
        assert dictionary.cyclic_links == ()
        assert Graph(dictionary, "graph").node("data_release") is not None
