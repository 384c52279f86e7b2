"""``commonshub dictionary lint`` and ``diff``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.dictionaries import SMALL

from commonshub.hub.cli import main


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """The small dictionary with a value less, and a link that leads nowhere."""
    folder = tmp_path / "faulty"
    folder.mkdir()
    for file in SMALL.glob("*.yaml"):
        (folder / file.name).write_text(file.read_text().replace("target_type: sample", "target_type: simple"))
    return folder


@pytest.fixture
def tighter(tmp_path: Path) -> Path:
    folder = tmp_path / "tighter"
    folder.mkdir()
    for file in SMALL.glob("*.yaml"):
        (folder / file.name).write_text(file.read_text().replace("melanoma, glioma", "glioma"))
    return folder


def test_lint_tells_of_errors_and_fails(faulty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dictionary", "lint", str(faulty)]) == 1
    lines = capsys.readouterr().out.splitlines()
    place = "error   aliquot.yaml:14 /links/0/subgroup/0/target_type"
    assert f"{place}: there is no node type 'simple'. Write sample." in lines
    assert lines[-1].startswith("1 error, ")


@pytest.mark.parametrize(("options", "status"), [([], 0), (["--strict"], 1), (["--quiet"], 0)])
def test_warnings_fail_on_demand_alone(options: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dictionary", "lint", str(SMALL), *options]) == status
    told = capsys.readouterr().out
    assert (told == "") == (options == ["--quiet"])


def test_lint_answers_programs_in_json(faulty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dictionary", "lint", str(faulty), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["errors"], len(told["faults"])) == (1, 1 + told["warnings"])
    [error] = [each for each in told["faults"] if each["severity"] == "error"]
    assert {key: error[key] for key in ("file", "line", "path", "fix")} == {
        "file": "aliquot.yaml", "line": 14, "path": "/links/0/subgroup/0/target_type", "fix": "Write sample.",
    }  # fmt: skip


def test_quietly_a_fault_is_one_line_of_errors(faulty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dictionary", "lint", "--quiet", str(faulty)]) == 1
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert "aliquot.yaml:14" in err


def test_diff_tells_of_changes(tighter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dictionary", "diff", str(SMALL), str(tighter)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "tighter       case.disease_type: values gone melanoma",
        "no wider, 1 tighter, no documentation.",
    ]
    assert main(["dictionary", "diff", str(SMALL), str(tighter), "--strict"]) == 1
    assert main(["dictionary", "diff", str(tighter), str(SMALL), "--strict"]) == 0
    capsys.readouterr()
    assert main(["dictionary", "diff", str(SMALL), str(tighter), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"wider": 0, "tighter": 1, "documentation": 0}


def test_the_configured_dictionary_is_the_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data-dir", str(tmp_path / "commons")]
    assert main(["dictionary", "lint", *data]) == 1
    assert "There is no dictionary at" in capsys.readouterr().err
    assert main(["init", *data]) == 0
    assert main(["dictionary", "lint", *data]) == 0
    (tmp_path / "commons" / "commonshub_config.py").write_text(f"c.Commons.dictionary = {str(SMALL)!r}\n")
    capsys.readouterr()
    assert main(["dictionary", "diff", str(SMALL), *data]) == 0
    assert capsys.readouterr().out == "no wider, no tighter, no documentation.\n"


def test_a_place_without_a_dictionary_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dictionary", "diff", str(SMALL), str(tmp_path / "nowhere")]) == 1
    assert "There is no dictionary at" in capsys.readouterr().err


def test_the_command_reads_nothing_of_dictionaries_before_it_must() -> None:
    heavy = {"yaml", "jsonschema_rs", "orjson", "commonshub.core.dictionary"}
    code = f"import sys, commonshub.hub.cli as cli; cli.parser(); print({heavy} & sys.modules.keys())"
    answer = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "set()\n"
