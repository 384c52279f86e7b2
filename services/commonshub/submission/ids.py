"""Identifiers."""

import uuid

_PROGRAMS = uuid.UUID("85b08c6a-56a6-4474-9c30-b65abfd214a8")
_PROJECTS = uuid.UUID("249b4405-2c69-45d9-96bc-7410333d5d80")


def program_id(name: str) -> str:
    """Id of a program: the same in every commons (Gen3's namespaces)."""
    return str(uuid.uuid5(_PROGRAMS, name))


def project_id(code: str) -> str:
    """Id of a project's node."""
    return str(uuid.uuid5(_PROJECTS, code))


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID in its usual form."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
