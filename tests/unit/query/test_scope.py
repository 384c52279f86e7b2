"""Resource paths as the programs and projects that they cover."""

import pytest

from commonshub.query.scope import MAX_PLAIN_IDS, Scope, scope_of

CASES: list[tuple[list[str], Scope]] = [
    ([], Scope()),
    (["/programs"], Scope(everything=True)),
    (["/programs/P", "/programs"], Scope(everything=True)),
    (["/programs/P"], Scope(programs=frozenset(["P"]))),
    (["/programs/P/projects"], Scope(programs=frozenset(["P"]))),
    (["/programs/P/projects/Q"], Scope(projects=frozenset([("P", "Q")]))),
    (
        ["/programs/P/projects/Q/files/x", "/open", "/programsx/P", "/programs/P/other/Q"],
        Scope(),
    ),
]


@pytest.mark.parametrize(("prefixes", "expected"), CASES, ids=[str(prefixes) for prefixes, _ in CASES])
def test_paths_cover_programs_and_projects(prefixes: list[str], expected: Scope) -> None:
    assert scope_of(prefixes) == expected


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(), frozenset()),
        (Scope(projects=frozenset([("P", "Q"), ("X", "Y")])), frozenset(["P-Q", "X-Y"])),
        (Scope(projects=frozenset([("A", "B-C")])), None),
        (Scope(projects=frozenset([("A-B", "C"), ("P", "Q")])), None),
        (Scope(programs=frozenset("P"), projects=frozenset([("X", "Y")])), None),
        (Scope(everything=True), None),
        (Scope(projects=frozenset(("P", str(number)) for number in range(MAX_PLAIN_IDS + 1))), None),
    ],
)
def test_only_ids_that_can_be_meant_in_one_way_are_plain(scope: Scope, expected: frozenset[str] | None) -> None:
    assert scope.plain_ids == expected


def test_a_program_shows_with_one_of_its_projects() -> None:
    scope = Scope(programs=frozenset(["P"]), projects=frozenset([("X", "Y")]))
    assert scope.program_names == {"P", "X"}


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(), False),
        (Scope(everything=True), True),
        (Scope(programs=frozenset("P")), True),
        (Scope(projects=frozenset([("P", "Q")])), True),
        (Scope(projects=frozenset([("P", "R"), ("R", "Q")])), False),
    ],
)
def test_a_project_is_covered_by_itself_its_program_or_all(scope: Scope, expected: bool) -> None:
    assert scope.covers("P", "Q") is expected
