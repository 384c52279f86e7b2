"""The workspaces that a user can choose from: ``profiles.yaml``.

A list of profiles; each has

``slug``
    Short name, used in links and by the API: lower-case letters, digits and hyphens.
``display_name``, ``description``
    What the user reads.
``default``
    True for the one that is chosen in advance; without it, the first.
``groups``
    Groups that may use it; without it, everybody.
``environment``
    Variables of the workspace: names and texts.
``default_url``
    Page that opens first, such as ``/lab``.
"""

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from commonshub.core.errors import ValidationFailed

LARGEST_FILE_BYTES = 2**20
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# The hub's own variables decide who the workspace is; a profile must not change them.
_RESERVED = re.compile(r"(JUPYTERHUB_|COMMONSHUB_|JPY_|LD_)|^(HOME|USER|PATH|PYTHONPATH)$")


@dataclass(frozen=True)
class Profile:
    """One kind of workspace."""

    slug: str
    display_name: str
    description: str = ""
    default: bool = False
    groups: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    default_url: str = ""


FIRST = Profile("python", "Python", "JupyterLab with the commons' client and Gen3's SDK.", default=True)


def read(file: Path) -> list[Profile]:
    """The profiles in a file; the built-in one where there is no file.

    Raises
    ------
    ValidationFailed
        The file is not a list of profiles; each detail names the line.
    """
    if not file.exists():
        return [FIRST]
    if file.stat().st_size > LARGEST_FILE_BYTES:
        raise ValidationFailed(f"{file.name} is larger than {LARGEST_FILE_BYTES} bytes.")
    return parse(file.read_text(), file.name)


def parse(text: str, name: str = "profiles.yaml") -> list[Profile]:
    """The profiles in a YAML text; see :func:`read`."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        entries = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValidationFailed(f"{name} is not YAML: {error}") from error
    if not isinstance(entries, list) or not entries or not isinstance(root, yaml.SequenceNode):
        raise ValidationFailed(f"{name} must hold a list of profiles.")
    faults: list[dict[str, Any]] = []
    profiles = []
    for entry, node in zip(entries, root.value, strict=True):
        found = _faults(entry)
        line = node.start_mark.line + 1
        faults += [{"file": name, "line": line, "message": message} for message in found]
        if not found:
            lists = {"groups": tuple(entry.get("groups", ()))}
            profiles.append(Profile(**{**entry, **lists}))
    seen = [profile.slug for profile in profiles]
    faults += [
        {"file": name, "message": f"slug {slug!r} is used twice"} for slug in {s for s in seen if seen.count(s) > 1}
    ]
    if faults:
        first = faults[0]
        where = f"{name}, line {first['line']}" if "line" in first else name
        raise ValidationFailed(f"{where}: {first['message']}.", faults)
    return profiles


def offered(profiles: Iterable[Profile], groups: Iterable[str]) -> list[Profile]:
    """The profiles that a member of `groups` may use, the default first."""
    mine = set(groups)
    allowed = [profile for profile in profiles if not profile.groups or mine.intersection(profile.groups)]
    return sorted(allowed, key=lambda profile: not profile.default)


def choose(profiles: list[Profile], slug: str | None) -> Profile | None:
    """The chosen profile, the first without a choice, None when the choice is not offered."""
    if not slug:
        return profiles[0] if profiles else None
    return next((profile for profile in profiles if profile.slug == slug), None)


def form(profiles: list[Profile]) -> str:
    """Fields of the hub's page on which a workspace is chosen; empty when there is no choice."""
    if len(profiles) < 2:
        return ""
    rows = []
    for index, profile in enumerate(profiles):
        slug, label, text = (html.escape(part) for part in (profile.slug, profile.display_name, profile.description))
        checked = " checked" if index == 0 else ""
        rows.append(
            f'<div class="form-check mb-2"><input class="form-check-input" type="radio" name="profile" '
            f'id="profile-{slug}" value="{slug}"{checked}><label class="form-check-label" for="profile-{slug}">'
            f"<strong>{label}</strong><br>{text}</label></div>"
        )
    return "".join(rows)


def _faults(entry: Any) -> list[str]:
    if not isinstance(entry, dict):
        return ["a profile must be a mapping"]
    faults = [f"unknown key {key!r}" for key in entry if key not in Profile.__dataclass_fields__]
    faults += [f"{key} is missing" for key in ("slug", "display_name") if key not in entry]
    texts = {key: entry[key] for key in ("slug", "display_name", "description", "default_url") if key in entry}
    faults += [f"{key} must be a text" for key, value in texts.items() if not isinstance(value, str)]
    if isinstance(entry.get("slug"), str) and not _SLUG.fullmatch(entry["slug"]):
        faults.append("slug must consist of lower-case letters, digits and hyphens")
    if not isinstance(entry.get("default", False), bool):
        faults.append("default must be true or false")
    groups = entry.get("groups", [])
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        faults.append("groups must be a list of texts")
    return faults + _environment_faults(entry.get("environment", {}))


def _environment_faults(environment: Any) -> list[str]:
    if not isinstance(environment, dict):
        return ["environment must be a mapping"]
    faults = []
    for key, value in environment.items():
        if not isinstance(key, str) or not _VARIABLE.fullmatch(key):
            faults.append(f"{key!r} cannot be the name of a variable")
        elif _RESERVED.search(key):
            faults.append(f"the variable {key} belongs to the hub")
        if not isinstance(value, str):
            faults.append(f"the variable {key} must have a text as its value")
    return faults
