"""Every case of Gen3's behaviour, and every threat, has a test or a stated reason why not.

Cases C1 to C110 are tested in ``tests/contract/auth`` (in a test's name, ``test_c34_…``, or a parameter's id,
``C34-…``) or differ knowingly, with a row of ``docs/reference/gen3-differences.md``. Threats S1 to S29 are tested in
``tests/security`` (``test_s08_…``) or are in the table "Not tested" of ``docs/explanation/security.md``. Cases D1 to
D25 of DRS are tested by the index's tests, in the same two ways; here is what they are. So are those of the graph, of
submitting to it (G1 to G52) and of querying it (from G53 on).
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT / "tests" / "contract" / "auth"
SECURITY = ROOT / "tests" / "security"
DIFFERENCES = ROOT / "docs" / "reference" / "gen3-differences.md"
THREATS = ROOT / "docs" / "explanation" / "security.md"

INDEX = [ROOT / "tests" / kind / "index" for kind in ("contract", "integration")]

DRS = {
    "D1": "cloud, derived from the scheme",
    "D2": "region as the metadata of the URL say",
    "D3": "region of the bucket",
    "D4": "available by default",
    "D5": "available as the metadata of the URL say",
    "D6": "authorizations of a protected object",
    "D7": "authorizations of an open object",
    "D8": "OPTIONS of an object",
    "D9": "OPTIONS of what is not there",
    "D10": "an object against the published schema",
    "D11": "many objects",
    "D12": "many objects of which some are missing",
    "D13": "more objects than announced: 413",
    "D14": "authorizations of many objects",
    "D15": "authorizations of many objects, protected, open and missing",
    "D16": "more authorizations than announced: 413",
    "D17": "signed URLs of many objects",
    "D18": "more signed URLs than announced: 413",
    "D19": "signed URLs of those objects alone that the caller may have",
    "D20": "service-info: version",
    "D21": "service-info: counts",
    "D22": "resolution of a prefix",
    "D23": "resolution of a GUID",
    "D24": "resolution of a GUID that is not there",
    "D25": "an object by its prefix",
}
GRAPH_TESTS = [
    ROOT / "tests" / kind / service for kind in ("contract", "integration") for service in ("submission", "query")
]

GRAPH = {
    "G1": "a program is created, listed, refused to others; a project of no program: 404",
    "G2": "a program's accession number changes",
    "G3": "a project is created and listed; its code is nobody else's",
    "G4": "programs and projects are deleted when they are empty",
    "G5": "a link to the project by id and by code",
    "G6": "no token, a forged one, an expired one, no right",
    "G7": "a link's target is not there",
    "G8": "a value of the wrong type",
    "G9": "an example set, one by one and together, and again",
    "G10": "a record whose link names another project",
    "G11": "a link into another project",
    "G12": "timestamps and states",
    "G13": "what is no JSON",
    "G14": "names with an asterisk in JSON",
    "G15": "null and empty cells clear what is optional and nothing else",
    "G16": "moments by RFC 3339",
    "G17": "several faults at once",
    "G18": "a fault of the service tells nothing",
    "G19": "two that create the same record",
    "G20": "isolation levels",
    "G21": "links without regard to case",
    "G22": "letters of any script",
    "G23": "TSV and CSV",
    "G24": "2.0 where a number is asked for",
    "G25": "a list in a cell",
    "G26": "several parents in a cell",
    "G27": "faults of rows",
    "G28": "asterisks in a header",
    "G29": "a dry run",
    "G30": "a dry run of deleting, and its commit",
    "G31": "commit of what is committed, closed, or no dry run",
    "G32": "records by id",
    "G33": "the dictionary's entries",
    "G34": "templates",
    "G35": "export by ids",
    "G36": "export of a type: so many records, so many rows",
    "G37": "an export is deleted and loaded again",
    "G38": "nothing where nothing is",
    "G39": "lists of any values",
    "G40": "export of one project alone",
    "G41": "export of an unknown type",
    "G42": "deleting leaves, parents, and marking for deletion",
    "G43": "a file that the index does not know",
    "G44": "… with an id of its own",
    "G45": "a file that the index knows",
    "G46": "… under another id",
    "G47": "URLs change, and may be several",
    "G48": "other content for a known id",
    "G49": "files that must be in the index before",
    "G50": "an upload is given to the project; its hashes differ, or are not there; grants that are there",
    "G51": "a faulty file leaves the index alone",
    "G52": "consent codes; no index",
    "G53": "the language of queries, and its faults",
    "G54": "a query without a token",
    "G55": "nodes of any type",
    "G56": "quick search",
    "G57": "pages",
    "G58": "orders",
    "G59": "projects by project id",
    "G60": "paths",
    "G61": "lists of values, exclusion, arrays",
    "G62": "truth values and dates",
    "G63": "other projects do not exist",
    "G64": "data files",
    "G65": "the dictionary as nodes",
    "G66": "the log of submissions",
    "G67": "counts and names of projects",
    "G68": "what a file is",
    "G69": "a record of every type goes in, is found, and goes out",
}
CASES = {f"C{number}" for number in range(1, 111)}
THREAT_NUMBERS = {f"S{number}" for number in range(1, 29)}


def trees(folder: Path) -> Iterator[ast.Module]:
    for file in sorted(folder.glob("test_*.py")):
        yield ast.parse(file.read_text(), str(file))


def functions(folder: Path) -> list[str]:
    return [
        node.name
        for tree in trees(folder)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]


def parameter_ids(folder: Path, letter: str) -> list[str]:
    """Numbers of texts that begin as an id does: ``C34-…``."""
    texts = [
        node.value
        for tree in trees(folder)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return [found[1] for text in texts if (found := re.match(rf"{letter}(\d+)\b", text))]


def covered_cases(folder: Path, letter: str) -> set[str]:
    named = [number for name in functions(folder) for number in re.findall(rf"_{letter.lower()}(\d+)(?=_)", name)]
    return {f"{letter}{int(number)}" for number in [*named, *parameter_ids(folder, letter)]}


def first_cells(page: Path, heading: str = "") -> set[str]:
    """Numbers in the first cell of the rows of a page's tables, below `heading` where one is given; ``C63-C67`` counts
    as all between."""
    text = page.read_text() if page.exists() else ""
    if heading:
        text = text.partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    found: set[str] = set()
    for line in text.splitlines():
        if not line.startswith("|"):
            continue
        for letter, first, last in re.findall(r"\b([CS])(\d+)(?:\s*[-–]\s*[CS]?(\d+))?", line.split("|")[1]):
            found |= {f"{letter}{number}" for number in range(int(first), int(last or first) + 1)}
    return found


def covered_threats() -> set[str]:
    return {f"S{int(number)}" for name in functions(SECURITY) for number in re.findall(r"^test_s(\d+)_", name)}


def listing(numbers: set[str]) -> list[str]:
    return sorted(numbers, key=lambda each: (each[0], int(each[1:])))


def test_every_case_is_tested_or_differs_knowingly() -> None:
    assert listing(CASES - covered_cases(CONTRACT, "C") - first_cells(DIFFERENCES)) == []


def test_every_case_of_drs_is_tested() -> None:
    covered = {case for folder in INDEX for case in covered_cases(folder, "D")}
    assert (listing(DRS.keys() - covered), listing(covered - DRS.keys())) == ([], [])


def test_every_case_of_the_graph_is_tested() -> None:
    covered = {case for folder in GRAPH_TESTS for case in covered_cases(folder, "G")}
    assert (listing(GRAPH.keys() - covered), listing(covered - GRAPH.keys())) == ([], [])


def test_every_threat_is_tested_or_its_absence_explained() -> None:
    assert listing(THREAT_NUMBERS - covered_threats() - first_cells(THREATS, "## Not tested")) == []


def test_every_threat_is_described() -> None:
    assert listing(THREAT_NUMBERS - first_cells(THREATS, "## Threats")) == []


def skipping(tree: ast.Module) -> list[str]:
    """What leaves tests out or expects them to fail: marks, and calls of pytest."""
    names = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return [name for name in names if re.fullmatch(r"pytest\.(mark\.)?(skip|skipif|xfail|importorskip)", name)]


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("@pytest.mark.skip\ndef test_x(): ...", 1),
        ("pytest.param(1, marks=[pytest.mark.skipif(True, reason='x')])", 1),
        ("pytestmark = pytest.mark.xfail(strict=True)", 1),
        ("def test_x():\n    pytest.skip('x')\n    pytest.xfail('y')", 2),
        ("gen3 = pytest.importorskip('gen3')", 1),
        ("@pytest.mark.parametrize('x', [])\ndef test_x(x): ...", 0),
    ],
)
def test_what_leaves_tests_out_is_recognized(source: str, count: int) -> None:
    assert len(skipping(ast.parse(source))) == count


def test_no_case_is_skipped_or_expected_to_fail() -> None:
    assert [
        name
        for folder in (CONTRACT, SECURITY, *INDEX, *GRAPH_TESTS)
        for tree in trees(folder)
        for name in skipping(tree)
    ] == []
