"""Lists of values of any type, in and out."""

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.submission_service import SMALL, SNAPSHOT, case, ids

from commonshub.submission.app import SubmissionApp

VALUES = ["string", 1, 0.5, True]


@pytest.fixture(scope="module")
def running(run_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = Path(shutil.copytree(SMALL, tmp_path_factory.mktemp("dictionary") / "arrays"))
    file = folder / "case.yaml"
    schema = yaml.safe_load(file.read_text())
    schema["properties"]["mixed"] = {"type": "array"}
    file.write_text(yaml.safe_dump(schema))
    running = run_service(SubmissionApp, Commons={"dictionary": str(folder)})
    running.hold(SNAPSHOT)
    return running


def test_g39_a_list_stays_a_list_in_json_and_is_a_cell_of_a_table(api: Any, name: str) -> None:
    [id_] = ids(api.put(case(name, mixed=VALUES)))
    assert api.export("case")[name]["mixed"] == VALUES
    [record] = api("GET", f"/P/one/export?ids={id_}&format=json").json()
    assert record["mixed"] == VALUES
    for query in (f"ids={id_}", "node_label=case"):
        text = api("GET", f"/P/one/export?{query}").text
        [row] = csv.DictReader(io.StringIO(text), delimiter="\t")
        assert row["mixed"] == "string,1,0.5,True"
