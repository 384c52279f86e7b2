"""What runs and where its log is: ``commonshub status`` and ``commonshub logs``."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .files import read_json
from .folder import DataFolder
from .processes import Handle, services
from .services import SERVICES
from .supervisor import answers


def status(folder: DataFolder) -> dict[str, Any]:
    """The commons as a whole and each part: name, pid, state and URL.

    The hub comes last, because everything else goes on without it.
    """
    recorded = read_json(folder.state_file)
    supervisor = Handle.parse(recorded.get("supervisor"))
    runs = supervisor is not None and supervisor.alive
    own = {part["name"]: part for part in (_own(part) for part in recorded.get("parts", []))}
    alive = any(part["pid"] for part in own.values())
    hub = own.pop("hub", None)
    parts = [_part("supervisor", supervisor if runs else None, "running", recorded.get("url", "")), *own.values()]
    if alive:
        parts += _services(folder, recorded.get("services", []))
    parts += [hub] if hub else []
    state = recorded.get("state", "stopped") if runs else "unattended" if alive else "stopped"
    return {"state": state, "url": recorded.get("url", ""), "data_dir": str(folder.path), "parts": parts}


def table(document: dict[str, Any]) -> str:
    """The status as people read it."""
    lines = [f"{document['state']}  {document['url']}", ""]
    lines += [
        f"{part['name']:<12}{part['state']:<10}{part['pid'] or '-':<8}{part['url']}" for part in document["parts"]
    ]
    return "\n".join(lines)


def follow(folder: DataFolder, part: str | None, *, forever: bool) -> Iterator[str]:
    """Lines of one log or of all: the last forty, then, if asked, new ones as they come."""
    names = [part] if part else sorted(path.stem for path in folder.logs.glob("*.log"))
    readers = [_Reader(folder.logs / f"{name}.log", "" if part else f"{name}: ") for name in names]
    while True:
        for reader in readers:
            yield from reader.lines()
        if not forever:
            return
        time.sleep(0.3)


class _Reader:
    def __init__(self, file: Path, prefix: str) -> None:
        self.file = file
        self.prefix = prefix
        self.offset = -1

    def lines(self) -> Iterator[str]:
        try:
            size = self.file.stat().st_size
            with self.file.open("rb") as opened:
                if 0 <= self.offset <= size:
                    opened.seek(self.offset)
                    new = opened.read().decode(errors="replace").splitlines()
                else:
                    opened.seek(max(0, size - 64 * 2**10) if self.offset < 0 else 0)
                    new = opened.read().decode(errors="replace").splitlines()[-40:]
                self.offset = opened.tell()
        except FileNotFoundError:
            return
        for line in new:
            yield self.prefix + line


def _own(part: dict[str, Any]) -> dict[str, Any]:
    handle = Handle.parse(part)
    alive = handle if handle and handle.alive else None
    return _part(part["name"], alive, part["state"], part["url"])


def _services(folder: DataFolder, names: list[str]) -> list[dict[str, Any]]:
    ports = read_json(folder.run / "ports.json")
    instance = read_json(folder.secrets / "hub.json").get("instance", "")
    running = services(instance)
    return [_service(name, running.get(name), ports.get(name)) for name in names]


def _service(name: str, handle: Handle | None, port: int | None) -> dict[str, Any]:
    if name not in SERVICES:
        return _part(name, handle, "running", "")
    url = f"http://127.0.0.1:{port}"
    return _part(name, handle, "running" if answers(f"{url}/_status", 5) else "starting", url)


def _part(name: str, handle: Handle | None, state: str, url: str) -> dict[str, Any]:
    return {"name": name, "pid": handle.pid if handle else None, "state": state if handle else "stopped", "url": url}
