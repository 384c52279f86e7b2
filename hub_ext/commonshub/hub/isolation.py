"""What one unprivileged process may see of the machine: a plan of mounts, computed without touching anything.

Vocabulary
----------
need
    A path that the process must reach: the interpreter, the code, its own folder. Read-only unless said otherwise.
cover
    A folder that is hidden under an empty one: the commons' data, a folder such as ``/root`` that only its owner may
    enter, the shared ``/tmp``.
launch
    A command with the account it runs under and its needs and covers; :mod:`commonshub.hub.launcher` carries it out.

Started as root, the commons runs PostgreSQL, the object store, the proxy and every workspace as launches. A need inside
a cover is put back at its own path, so nothing that the process runs has to know that it is enclosed.
"""

import os
import stat
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple


class Account(NamedTuple):
    """An unprivileged account; it needs no entry in the system's ``/etc/passwd``."""

    name: str
    uid: int
    home: str


@dataclass(frozen=True)
class Need:
    """A path that a launched process must reach."""

    path: str
    writable: bool = False


@dataclass(frozen=True)
class Launch:
    """How to start one enclosed process.

    Parameters
    ----------
    command
        Program and arguments.
    uid
        Numeric user and group id to run under.
    name, home
        What ``/etc/passwd`` says of that id inside.
    needs, covers
        See the vocabulary above.
    create
        Folders that the process makes itself, once it has no privileges left, where they are missing.
    """

    command: tuple[str, ...]
    uid: int
    name: str
    home: str
    needs: tuple[Need, ...] = ()
    covers: tuple[str, ...] = ()
    create: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The launch as JSON values."""
        return asdict(self)

    @classmethod
    def parse(cls, document: dict[str, Any]) -> "Launch":
        """Read what :meth:`document` wrote."""
        lists = {name: tuple(document[name]) for name in ("command", "covers", "create")}
        return cls(**{**document, **lists, "needs": tuple(Need(**need) for need in document["needs"])})


@dataclass(frozen=True)
class Step:
    """One mount: hide `path`, or put `path` back."""

    action: Literal["cover", "bind"]
    path: str
    writable: bool = False


def plan(needs: Iterable[Need], covers: Iterable[str]) -> list[Step]:
    """The mounts in the order in which they must be made: outer paths before inner ones, a cover before a need.

    A need that no cover hides gets no mount of its own, unless it lies inside a need that is put back: then it may have
    to be writable where that one is not.
    """
    hidden = sorted(set(covers), key=_depth)
    wanted = {need.path: need for need in sorted(needs, key=lambda need: need.writable)}
    steps = [Step("cover", path) for path in hidden]
    steps += [Step("bind", need.path, need.writable) for need in wanted.values() if _inside_any(need.path, hidden)]
    return sorted(steps, key=lambda step: (_depth(step.path), step.action == "bind"))


def closed_ancestors(paths: Iterable[str], uid: int) -> list[str]:
    """The outermost folder above each path that `uid` may not enter; each once."""
    found: dict[str, None] = {}
    for path in paths:
        for folder in reversed(Path(path).parents):
            if not may_enter(os.stat(folder), uid):
                found[str(folder)] = None
                break
    return list(found)


def may_enter(status: os.stat_result, uid: int) -> bool:
    """Whether an account without supplementary groups may pass through a folder."""
    bit = stat.S_IXUSR if status.st_uid == uid else stat.S_IXGRP if status.st_gid == uid else stat.S_IXOTH
    return bool(status.st_mode & bit)


def code_paths() -> list[str]:
    """What a Python process of this installation reads: interpreter, environment and the roots of the package."""
    import commonshub

    paths = [sys.base_prefix, sys.base_exec_prefix, sys.prefix, str(Path(sys.executable).resolve().parent.parent)]
    paths += [str(Path(root)) for root in commonshub.__path__]
    return outermost(str(Path(path).absolute()) for path in paths if path != "/usr" and os.path.exists(path))


def outermost(paths: Iterable[str]) -> list[str]:
    """The paths that lie in no other of them."""
    ordered = sorted({os.path.normpath(path) for path in paths}, key=_depth)
    kept: list[str] = []
    for path in ordered:
        if path not in kept and not _inside_any(path, kept):
            kept.append(path)
    return kept


def enclose(
    command: Sequence[str],
    account: Account,
    *,
    writable: Sequence[str] = (),
    readable: Sequence[str] = (),
    hidden: Sequence[str] = (),
    create: Sequence[str] = (),
) -> Launch:
    """A launch that sees the code of this installation, `writable` and `readable`, and nothing below `hidden`."""
    needs = [Need(path) for path in (*code_paths(), *readable)] + [Need(path, writable=True) for path in writable]
    covers = [*hidden, *closed_ancestors([need.path for need in needs], account.uid), "/tmp", "/var/tmp", "/dev/shm"]  # noqa: S108
    return Launch(
        command=tuple(command),
        uid=account.uid,
        name=account.name,
        home=account.home,
        needs=tuple(needs),
        covers=tuple(path for path in dict.fromkeys(covers) if os.path.isdir(path)),
        create=tuple(create),
    )


def _depth(path: str) -> int:
    return path.rstrip("/").count("/")


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _inside_any(path: str, folders: Iterable[str]) -> bool:
    return any(_inside(path, folder) for folder in folders)
