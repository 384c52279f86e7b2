"""What the distribution holds, and that the namespace stays a namespace."""

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import commonshub

ROOT = Path(__file__).parents[2]
ROOTS = ("hub_ext", "server_ext", "services", "widgets")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names of the files in a wheel built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return zipfile.ZipFile(next(folder.glob("*.whl"))).namelist()


def test_the_namespace_belongs_to_no_single_root() -> None:
    assert commonshub.__file__ is None
    assert not list(ROOT.glob("*/commonshub/__init__.py"))


def test_all_four_roots_are_importable_portions() -> None:
    portions = {Path(path).resolve() for path in commonshub.__path__}
    assert {(ROOT / root / "commonshub").resolve() for root in ROOTS} <= portions or len(portions) == 1


@pytest.mark.parametrize("name", [*ROOTS, "images", "docs", "scripts"])
def test_folders_of_the_tree_are_no_packages(name: str, tmp_path: Path) -> None:
    code = f"import importlib.util as u, sys; sys.exit(u.find_spec({name!r}) is not None)"
    assert subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path).returncode == 0


def test_the_wheel_holds_only_the_package_and_its_metadata(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.startswith("commonshub-")} == {"commonshub"}
    assert tops <= {"commonshub", *(top for top in tops if top.endswith((".dist-info", ".data")))}


def test_every_package_is_typed_in_the_wheel(wheel: list[str]) -> None:
    packages = {"/".join(name.split("/")[:2]) for name in wheel if name.startswith("commonshub/")}
    assert {f"{package}/py.typed" for package in packages} <= set(wheel)


def test_the_wheel_carries_the_data_that_the_code_reads(wheel: list[str]) -> None:
    held = set(wheel)
    for root in ROOTS:
        for path in (ROOT / root / "commonshub").rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert path.relative_to(ROOT / root).as_posix() in held


@pytest.mark.parametrize(
    "path",
    ["etc/jupyter/jupyter_server_config.d/commonshub.json", "share/jupyter/lab/settings/overrides.d/commonshub.json"],
)
def test_the_wheel_configures_jupyter(wheel: list[str], path: str) -> None:
    assert any(name.endswith(f".data/data/{path}") for name in wheel)


def test_the_command_is_found() -> None:
    assert importlib.util.find_spec("commonshub.hub") is not None
