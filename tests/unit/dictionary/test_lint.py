"""What is wrong with a dictionary, and what could be better: file, line, path and what to write instead."""

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft4Validator
from tests.dictionaries import FOLDERS, SMALL, folder

from commonshub.core.dictionary import Source, compiled, load, validation_schema
from commonshub.core.dictionary.content import MAX_DEPTH
from commonshub.core.dictionary.difference import difference
from commonshub.core.dictionary.faults import MAX_FAULTS, MAX_MESSAGE_CHARS, Fault
from commonshub.core.dictionary.lint import lint
from commonshub.core.errors import ValidationFailed
from commonshub.core.graph import Graph

SITE = "primary_site: {type: string}"
TYPE = "type: {enum: [case]}"
LINKS = "links:\n"
DISEASE = "disease_type: {enum: [melanoma, glioma]}"
STATE = "state:\n  default: validated"

ERRORS = [
    # Form.
    ("case.yaml", "id: case", "ident: case", 1, "/", '"id" is a required', "Add id."),
    ("case.yaml", "category: administrative", "category: 3", 5, "/category", "string", "Write a text."),
    ("case.yaml", "many_to_one", "many_to_some", 11, "/links/0/multiplicity", "many_to_some", "Write many_to_one."),
    ("case.yaml", ", multiplicity: many_to_one", "", 11, "/links/0", "multiplicity", "Add multiplicity: one_to_one,"),
    ("case.yaml", "id: case", "id: a-case", 2, "/id", "a-case", "Write letters, digits and _ only"),
    ("case.yaml", "id: case", f"id: {'c' * 53}", 2, "/id", "longer", "Shorten it."),
    ("_extra.yaml", "", "x: 1", 1, "/", "id", "Take _extra.yaml away"),
    ("case.yaml", "$schema:", "- x\n$schema:", 2, "/", "not YAML", "indentation"),
    ("case.yaml", "id: case", "id: [", 4, "/", "not YAML", "bracket"),
    ("case.yaml", "title: Case", "title: Case: one", 3, "/", "not YAML", "quotes"),
    ("case.yaml", "title: Case", "title: *case", 3, "/", "not YAML", "quotes"),
    ("case.yaml", "title: Case", "\ttitle: Case", 3, "/", "not YAML", "spaces, not tabs"),
    ("case.yaml", "title: Case", "title: &a [*a]", 3, "/", "holds itself", "bracket"),
    ("case.yaml", "title: Case", "note: !!binary aGFsbG8=", 3, "/note", "bytes", "quotes"),
    ("case.yaml", "title: Case", "note: .nan", 3, "/note", "nan", "number"),
    ("case.yaml", "title: Case", f"note: {10**30}", 3, "/note", "too large", "18 digits"),
    ("case.yaml", "title: Case", 'title: "a\\0b"', 3, "/title", "character", "Take it out."),
    ("case.yaml", "title: Case", f"note: {'[' * 80}{']' * 80}", 3, "/note/", f"{MAX_DEPTH} levels", "Nest less."),
    ("case.yaml", "additionalProperties: false", "additionalProperties: no thing", 6, "/additionalProperties",
     "boolean", "Write true or false."),
    ("case.yaml", "additionalProperties: false", "additionalProperties: {type: txt}", 6, "/additionalProperties/type",
     "JSON Schema", "Write one of"),
    # References.
    ("case.yaml", SITE, 'primary_site: {$ref: "#/no"}', 16, "/properties/primary_site/$ref", "no object", "Define it"),
    ("case.yaml", SITE, 'primary_site: {$ref: "_definitions.yaml#/sate"}', 16, "/properties/primary_site/$ref",
     "no object", "Write _definitions.yaml#/state."),
    ("case.yaml", SITE, 'primary_site: {$ref: "_definition.yaml#/state"}', 16, "/properties/primary_site/$ref",
     "no file _definition.yaml", "Write _definitions.yaml#/state."),
    ("case.yaml", SITE, 'primary_site: {$ref: "x.yaml#/no"}', 16, "/properties/primary_site/$ref", "x.yaml", "Add the"),
    ("case.yaml", SITE, "primary_site: {$ref: [1, 2]}", 16, "/properties/primary_site/$ref", "form", "$ref2"),
    ("case.yaml", SITE, "primary_site: {$ref: state}", 16, "/properties/primary_site/$ref", "form", "the path in it"),
    ("_definitions.yaml", STATE, 'state:\n  $ref: "#/state"\n  default: x', 21, "/state/$ref", "refers to itself",
     "Write out"),
    # Properties.
    ("case.yaml", "primary_site:", "primary-site:", 16, "/properties/primary-site", "no name", "Write primary_site."),
    ("case.yaml", "primary_site:", "__site:", 16, "/properties/__site", "no name", "Write site."),
    ("case.yaml", "required: [type", "required: [typ", 8, "/required/0", "typ", "Write type."),
    ("case.yaml", SITE, "primary_site: {type: text}", 16, "/properties/primary_site/type", "JSON Schema",
     "Write string."),
    ("case.yaml", SITE, "primary_site: {type: float}", 16, "/properties/primary_site/type", "JSON Schema",
     "Write number."),
    ("case.yaml", SITE, "primary_site: {oneOf: [{type: strng}]}", 16, "/properties/primary_site/oneOf/0/type",
     "JSON Schema", "Write string."),
    ("case.yaml", SITE, "primary_site: {pattern: '[a'}", 16, "/properties/primary_site/pattern", "JSON Schema",
     "regular expression"),
    ("case.yaml", SITE, "primary_site: {pattern: '^\\p{L}+$'}", 16, "/properties/primary_site/pattern", "one of two",
     "plain classes"),
    ("case.yaml", SITE, "primary_site: {type: string, required: true}", 16, "/properties/primary_site/required",
     "JSON Schema", "listed under the node type"),
    # A definition's fault is told once, where it is written.
    ("_definitions.yaml", "submitter_id: {type: string}\n  project_id", "submitter_id: {type: text}\n  project_id", 26,
     "/ubiquitous_properties/submitter_id/type", "JSON Schema", "Write string."),
    # Links and ids.
    ("case.yaml", "target_type: experiment", "target_type: experimnt", 11, "/links/0/target_type", "experimnt",
     "Write experiment."),
    ("case.yaml", "name: experiments", "name: trials", 11, "/links/0/name", "not among the properties",
     'Add trials: {$ref: "_definitions.yaml#/to_one"}'),
    ("case.yaml", "name: friends_of", "name: experiments", 12, "/links/1/name", "two links named", "another name"),
    ("case.yaml", "backref: cases", "backref: number_of_cases", 11, "/links/0/backref", "property of 'experiment'",
     "Write another backref"),
    ("case.yaml", "backref: known_by", "backref: cases", 12, "/links/1/backref", "already", "cases_of_case"),
    ("case.yaml", "label: knows", "label: member_of", 12, "/links/1/label", "the same table", "another label"),
    ("sample.yaml", "id: sample", "id: case", 2, "/id", "too", "another id"),
    ("sample.yaml", "id: sample", "id: Ca_se", 2, "/id", "the same table as 'case'", "another id"),
    ("sample.yaml", "id: sample", "id: viewer", 2, "/id", "GraphQL", "another id"),
    ("program.yaml", "id: program", "id: programme", None, "/", "no node type 'program'", "Add program.yaml."),
]  # fmt: skip

WARNINGS = [
    ("case.yaml", DISEASE, "disease_type: {enum: [Glioma, glioma]}", 18, "/properties/disease_type/enum/1", "case or",
     "Keep one"),
    ("case.yaml", DISEASE, "disease_type: {enum: [glioma, glioma]}", 18, "/properties/disease_type/enum/1", "twice",
     "Take one"),
    ("case.yaml", DISEASE, "disease_type: {enum: [glioma, No]}", 18, "/properties/disease_type/enum/1", "false",
     "quotes"),
    ("case.yaml", DISEASE, "disease_type: {type: string, enum: [1, 2]}", 18, "/properties/disease_type/enum",
     "1, 2 are refused", "agree"),
    ("case.yaml", SITE, "primary_site: {type: integer, minimum: 3, maximum: 2}", 16,
     "/properties/primary_site/minimum", "above maximum 2", "Exchange"),
    ("case.yaml", SITE, "primary_site: {type: string, format: datetime}", 16, "/properties/primary_site/format",
     "nothing is checked", "Write date-time."),
    ("case.yaml", SITE, "primary_site: {type: string, paterns: a}", 16, "/properties/primary_site/paterns",
     "no keyword", "Write pattern."),
    ("case.yaml", SITE, "primary_site: {oneOf: [{enum: [a, b]}, {enum: [b, c]}]}", 16,
     "/properties/primary_site/oneOf/0/enum", "'b' are taken by two", "anyOf"),
    ("case.yaml", SITE, "primary_site: {type: string, default: x}", 16, "/properties/primary_site/default",
     "never set", "systemProperties"),
    ("_definitions.yaml", "default: validated", "default: open", 21, "/state/default", "'open'", "Write one that is."),
    ("case.yaml", SITE, f"{SITE}\n  Primary_Site: {{type: string}}", 17, "/properties/Primary_Site", "in case only",
     "another name"),
    ("case.yaml", "category: administrative", "category: clinic", 5, "/category", "'clinic'", "Write clinical."),
    ("case.yaml", "additionalProperties: false\n", "", 1, "/", "not listed are taken", "additionalProperties: false"),
    ("program.yaml", "type: {type: string}", "type: {enum: [programme]}", 12, "/properties/type/enum", "'program'",
     "enum: [program]"),
    ("case.yaml", '$ref: "_definitions.yaml#/ubiquitous_properties"', "submitter_id: {type: string}", 13,
     "/properties", "lack id", "ubiquitous_properties"),
    ("reads_file.yaml", "object_id:", "object_key:", 12, "/properties", "lack object_id", "data_file_properties"),
    ("case.yaml", "updated_datetime]", "updatet_datetime]", 7, "/systemProperties/4", "not among",
     "Write updated_datetime."),
    ("reads_file.yaml", "file_state]\nrequired: [type", "file_state, md5sum]\nrequired: [md5sum, type", 8,
     "/required/0", "may not set it", "default"),
    ("case.yaml", SITE, "state: {type: string}", 16, "/properties/state", "gives way to _definitions.yaml#/",
     "Take it"),
    ("case.yaml", SITE, 'primary_site: {$ref: "_definitions.yaml#/state", enum: [a]}', 16,
     "/properties/primary_site/enum", "gives way to _definitions.yaml#/state/enum", "Take it"),
    ("case.yaml", "required: [type", "required: [type, type", 8, "/required/1", "listed twice", "Take one"),
    ("case.yaml", "[project_id, submitter_id]", "[project_id, submiter_id]", 9, "/uniqueKeys/1", "holds for nothing",
     "Write submitter_id."),
    ("aliquot.yaml", "exclusive: true\n    required: true", "exclusive: false", 11, "/links/0", "demands nothing",
     "required: true"),
    ("aliquot.yaml", "required: false}", "required: true}", 11, "/links/0", "no other one", "its links not"),
    ("aliquot.yaml", "samples: {$ref: \"_definitions.yaml#/parent\"}", "samples: {type: object}", 14,
     "/links/0/subgroup/0/name", "a list is refused", "to_many"),
    ("experiment.yaml", "backref: experiments, label: performed_for, target_type: project",
     "backref: trials, label: performed_for, target_type: case", 10, "/links", "can be the first", "optional"),
    ("experiment.yaml", "backref: experiments, label: performed_for, target_type: project",
     "backref: trials, label: performed_for, target_type: case", 10, "/links", "leads from it to project", "Link"),
    ("sample.yaml", "title: Sample", "title: Case", 3, "/title", "another node type", "Tell them apart."),
    ("sample.yaml", "title: Sample", "title: Sample\ntitle: Other", 4, "/title", "stands here twice", "Take one"),
    ("case.yaml", TYPE, f'{TYPE}\n  $ref: "_definitions.yaml#/ubiquitous_properties"', 16, "/properties/$ref",
     "stands here twice", "$ref2"),
    ("_definitions.yaml", "state:\n", "unused: {type: string}\nstate:\n", 20, "/unused", "nothing refers to unused",
     "Take them out"),
    ("case.yaml", SITE, SITE, 13, "/properties", "no description of primary_site", "in which unit"),
    ("case.yaml", SITE, SITE, 1, "/", "no description", "what is one such record?"),
]  # fmt: skip


def found(faults: list[Fault], file: str, line: int | None, path: str, message: str, fix: str) -> list[Fault]:
    return [
        each
        for each in faults
        if each.file in (file, "(dictionary)")
        and (each.line if each.file == file else None) == line
        and each.path.startswith(path)
        and message in each.message
        and fix in each.fix
    ]


@pytest.mark.parametrize(("file", "old", "new", "line", "path", "message", "fix"), ERRORS)
def test_an_error_names_its_place_and_what_to_write(
    edited: Callable[..., str], file: str, old: str, new: str, line: int | None, path: str, message: str, fix: str
) -> None:
    place = edited(file, old, new)
    errors = [each for each in lint(Source(place)) if each.severity == "error"]
    assert len(found(errors, file, line, path, message, fix)) == 1, list(map(str, errors))
    with pytest.raises(ValidationFailed) as refused:
        load(place)
    assert refused.value.details == [each.document() for each in errors]


@pytest.mark.parametrize(("file", "old", "new", "line", "path", "message", "fix"), WARNINGS)
def test_a_warning_does_not_keep_a_dictionary_from_being_used(
    edited: Callable[..., str], file: str, old: str, new: str, line: int | None, path: str, message: str, fix: str
) -> None:
    place = edited(file, old, new)
    warnings = lint(Source(place))
    assert {each.severity for each in warnings} == {"warning"}
    assert len(found(warnings, file, line, path, message, fix)) == 1, list(map(str, warnings))
    assert load(place).nodes


def test_faults_of_all_files_are_told_at_once_and_nothing_that_follows_from_them(tmp_path: Path) -> None:
    place = tmp_path / "dictionary"
    shutil.copytree(SMALL, place)
    (place / "experiment.yaml").write_text("id: experiment\nlinks: [")
    for file, old, new in (
        ("case.yaml", "many_to_one", "many_to_some"),
        ("case.yaml", "type: array", "type: list"),
        ("sample.yaml", "type: number", "type: decimal"),
        ("_definitions.yaml", "project_id: {type: string}", "project_id: {type: strin}"),
    ):
        (place / file).write_text((place / file).read_text().replace(old, new))
    told = [(each.file, each.line) for each in lint(Source(str(place)))]
    assert told == [
        ("_definitions.yaml", 27),
        ("case.yaml", 11),
        ("case.yaml", 12),
        ("experiment.yaml", 3),
        ("sample.yaml", 16),
    ]


def test_a_json_file_has_paths_and_no_lines(tmp_path: Path) -> None:
    files = {file.name: yaml.safe_load(file.read_text()) for file in SMALL.glob("*.yaml")}
    files["case.yaml"]["links"][0]["target_type"] = "experimen"
    place = tmp_path / "dictionary.json"
    place.write_text(json.dumps(files))
    [error] = [each for each in lint(Source(str(place))) if each.severity == "error"]
    assert (error.line, error.path, error.fix) == (None, "/links/0/target_type", "Write experiment.")
    assert "line" not in error.document()
    assert str(error) == "case.yaml /links/0/target_type: there is no node type 'experimen'. Write experiment."


@pytest.mark.parametrize("name", FOLDERS)
def test_a_published_dictionary_has_no_errors_and_few_warnings(name: str) -> None:
    found = lint(Source(folder(name)))
    assert {each.severity for each in found} <= {"warning"}
    assert len(found) <= 20


@pytest.mark.parametrize("definitions", [None, [], [1], "text", {"x": 1}])
def test_a_dictionary_needs_no_definitions(definitions: Any) -> None:
    files = {f"{name}.yaml": {"id": name, "category": "administrative", "links": [], "properties": {"type": {}}}
             for name in ("program", "project")}  # fmt: skip
    assert {each.severity for each in lint(Source.of({**files, "_definitions.yaml": definitions}, "the test"))} == {
        "warning"
    }


def test_a_whole_file_may_be_what_a_reference_brings() -> None:
    files = {
        **FILES,
        "case.yaml": {"$ref": "_terms.yaml#/case"},
        "_terms.yaml": {**FILES["_terms.yaml"], "case": FILES["case.yaml"]},
    }
    assert {each.severity for each in lint(Source.of(files, "the test"))} == {"warning"}


def test_few_lines_that_stand_for_endless_ones_are_refused(tmp_path: Path) -> None:
    doubled = {f"d{n}": {"a": {"$ref": f"#/d{n + 1}"}, "b": {"$ref": f"#/d{n + 1}"}} for n in range(40)}
    files = {file.name: yaml.safe_load(file.read_text()) for file in SMALL.glob("*.yaml")}
    files["_definitions.yaml"] |= doubled | {"d40": {"type": "string"}}
    files["case.yaml"]["properties"]["primary_site"] = {"properties": {"$ref": "_definitions.yaml#/d0"}}
    with pytest.raises(ValidationFailed, match="values once its references are resolved"):
        compiled(Source.of(files, "the test"))
    (tmp_path / "bomb.yaml").write_text(
        "".join(f"d{n}: &d{n} [{f'*d{n - 1}, *d{n - 1}' if n else 'x'}]\n" for n in range(40))
    )
    with pytest.raises(ValidationFailed, match="aliases make this more than"):
        load(str(tmp_path))


def test_endless_faults_are_not_all_looked_for() -> None:
    files = {**FILES, **{f"f{number}.yaml": number for number in range(5000)}}
    with pytest.raises(ValidationFailed) as refused:
        compiled(Source.of(files, "the test"))
    assert len(refused.value.details) == MAX_FAULTS + 1
    assert "more than 1000 faults" in refused.value.details[0]["message"]


def test_endless_values_are_not_repeated_in_full() -> None:
    files = {**FILES, "case.yaml": {**FILES["case.yaml"], "category": ["x" * 1_000_000]}}
    [error] = [each for each in lint(Source.of(files, "the test")) if each.severity == "error"]
    assert len(str(error)) < 2 * MAX_MESSAGE_CHARS


FILES = {file.name: yaml.safe_load(file.read_text()) for file in SMALL.glob("*.yaml")}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["case", "type", "#/state"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["$ref", "type", "enum", "oneOf", "links", "subgroup", "x"]) | st.text(), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """The small dictionary with some of its values replaced by anything."""
    files: dict[str, Any] = json.loads(json.dumps(FILES))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = files
        key: Any = draw(st.sampled_from(sorted(files)))
        while isinstance(place[key], (dict, list)) and place[key] and draw(st.integers(0, 4)):
            place = place[key]
            key = draw(st.sampled_from(sorted(place)) if isinstance(place, dict) else st.integers(0, len(place) - 1))
        place[key] = draw(JSON)
    return files


@settings(max_examples=200, deadline=None)
@given(damaged())
def test_any_dictionary_is_used_or_refused_with_all_its_faults(files: dict[str, Any]) -> None:
    found = lint(Source.of(files, "the test"))
    errors = [each.document() for each in found if each.severity == "error"]
    assert [each for each in found if not (each.message.endswith(".") and each.fix.endswith((".", "?")))] == []
    with pytest.raises(ValidationFailed) if errors else nullcontext() as refused:
        dictionary = compiled(Source.of(files, "the test"))
    if refused is not None:
        assert refused.value.details == errors
        return
    # What is not refused can be used: records are checked by it, have tables, and it can be compared.
    assert Graph(dictionary, "graph").metadata.tables
    assert all(Draft4Validator(validation_schema(node)) for node in dictionary.nodes.values())
    before = compiled(Source.of(FILES, "the test"))
    for old, new in ((before, dictionary), (dictionary, before)):
        assert (difference(old, new).changes == ()) == (old.digest == new.digest)
