"""Dictionaries that tests load: our own, and published ones where they are at hand."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SMALL = ROOT / "tests" / "data" / "dictionary"
# Where `scripts/test` puts the packages.
_PACKAGES = ROOT / ".venv" / "dictionaries"
_SHARED = ROOT.parent / "shared" / "dictionaries"
FOLDERS = {
    "small": SMALL,
    "demo": ROOT / "hub_ext/commonshub/hub/demo/dictionary",
    "gen3dictionary": _PACKAGES / "gen3dictionary" / "gdcdictionary" / "schemas",
    "gdcdictionary": _PACKAGES / "gdcdictionary" / "gdcdictionary" / "schemas",
    "gen3-default": _SHARED / "gen3-default",
    "bloodpac": _SHARED / "bloodpac",
}


def folder(name: str) -> str:
    """Where the dictionary of that name is; skips the test where it is not."""
    found = FOLDERS[name]
    if not found.exists():
        pytest.skip(f"{found} is not here")
    return str(found)
