"""Every case of Gen3's behaviour, and every threat, has a test or a stated reason why not.

Cases C1 to C110 are tested in ``tests/contract/auth`` (in a test's name, ``test_c34_…``, or a parameter's id,
``C34-…``) or differ knowingly, with a row of ``docs/reference/gen3-differences.md``. Threats S1 to S28 are tested in
``tests/security`` (``test_s08_…``) or are in the table "Not tested" of ``docs/explanation/security.md``.
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


def parameter_ids(folder: Path) -> list[str]:
    """Texts that begin as an id does: ``C34-…``."""
    return [
        node.value
        for tree in trees(folder)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.match(r"C\d+\b", node.value)
    ]


def covered_cases() -> set[str]:
    named = {f"C{int(number)}" for name in functions(CONTRACT) for number in re.findall(r"_c(\d+)(?=_)", name)}
    return named | {re.split(r"\b", each)[1] for each in parameter_ids(CONTRACT)}


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
    assert listing(CASES - covered_cases() - first_cells(DIFFERENCES)) == []


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
    assert [name for folder in (CONTRACT, SECURITY) for tree in trees(folder) for name in skipping(tree)] == []
