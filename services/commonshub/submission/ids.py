"""Identifiers."""

import os
import uuid

_PROGRAMS = uuid.UUID("85b08c6a-56a6-4474-9c30-b65abfd214a8")
_PROJECTS = uuid.UUID("249b4405-2c69-45d9-96bc-7410333d5d80")


def program_id(name: str) -> str:
    """Id of a program: the same in every commons (Gen3's namespaces)."""
    return str(uuid.uuid5(_PROGRAMS, name))


def project_id(code: str) -> str:
    """Id of a project's node."""
    return str(uuid.uuid5(_PROJECTS, code))


def fresh(count: int) -> list[str]:
    """New random UUIDs (version 4), at a third of the cost of making each by itself."""
    text = os.urandom(16 * count).hex()
    return [
        f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{'89ab'[int(h[16], 16) & 3]}{h[17:20]}-{h[20:]}"
        for h in (text[place : place + 32] for place in range(0, 32 * count, 32))
    ]


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID in its usual form."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
