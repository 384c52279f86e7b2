"""Settings that are maps, such as those of one OpenID provider: read once, at start, with a message for each fault."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from .errors import BadRequest


def read_options(kind: type[Any], where: str, given: Any, required: Sequence[str]) -> dict[str, Any]:
    """What `given` says for the fields of the dataclass `kind`, but for the first, its name; lists become tuples.

    Parameters
    ----------
    where
        Name of the setting, for messages.
    required
        Fields that must be there and not be empty.

    Raises
    ------
    BadRequest
        A setting is missing, unknown or of the wrong kind, or names a file that is not there.
    """
    if not isinstance(given, Mapping):
        raise BadRequest(f"{where} must be a map of settings.")
    kinds = {each.name: each.type for each in fields(kind)[1:]}
    for name, value in given.items():
        if name not in kinds:
            raise BadRequest(f"{where} has no setting {name!r}; there are: {', '.join(kinds)}.")
        if not _fits(value, kinds[name]):
            raise BadRequest(f"{where}[{name!r}] has a value of the wrong kind: {str(value)[:80]!r}.")
        if name.endswith("_file") and value and not Path(value).is_file():
            raise BadRequest(f"{where}[{name!r}]: there is no file {value}.")
    for name in required:
        if not given.get(name):
            raise BadRequest(f"{where} needs the setting {name!r}.")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


def read_secret(file: str) -> str:
    """The secret in a file; empty where there is none, as a public client has it."""
    return Path(file).read_text().strip() if file else ""


def _fits(value: Any, kind: Any) -> bool:
    if kind in (str, bool):
        return isinstance(value, kind)
    if kind == tuple[str, ...]:
        return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
    return isinstance(value, Mapping)
