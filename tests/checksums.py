"""The checksum of a release, as the page about releases tells everybody to compute it."""

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "releases.md"


def published() -> dict[str, Any]:
    """The functions of the page: ``canonical(value)`` and ``checksum(exports)``."""
    told = PAGE.read_text().partition("## Compute the checksum")[2]
    [script] = re.findall(r"```python\n(.*?)```", told, re.DOTALL)
    names: dict[str, Any] = {}
    exec(script, names)
    return names
