"""Which unprivileged account each process of the commons runs under, when the commons was started as root.

The numbers are the commons' own: no entry is made in the system's user database, and no existing account is borrowed.
A number, once given to a user, is never given to another.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from commonshub.core.files import write_whole

from .isolation import Account, enclose

DEFAULT_FIRST_UID = 70_000
INFRASTRUCTURE = ("postgres", "objects", "proxy")
# Numbers kept for parts of the commons; users come after them.
RESERVED = 10


class Accounts:
    """Numbers of accounts, kept in one file.

    Parameters
    ----------
    file
        JSON object of names and numbers; made when the first user gets one.
    first_uid
        Lowest number that the commons may use.
    """

    def __init__(self, file: Path, first_uid: int = DEFAULT_FIRST_UID) -> None:
        self.file = file
        self.first_uid = first_uid

    def part(self, name: str, home: str) -> Account:
        """The account of a part of the commons."""
        return Account(f"commons-{name}", self.first_uid + INFRASTRUCTURE.index(name), home)

    def user(self, name: str, home: str) -> Account:
        """The account of a user, made at the first call."""
        known = json.loads(self.file.read_text()) if self.file.exists() else {}
        if name not in known:
            known[name] = max([self.first_uid + RESERVED - 1, *known.values()]) + 1
            write_whole(self.file, json.dumps(known, indent=1))
        return Account(name, known[name], home)


def launcher(
    account: Account,
    *,
    writable: Sequence[Path] = (),
    readable: Sequence[Path] = (),
    hidden: Sequence[Path] = (),
    create: Sequence[Path] = (),
) -> Callable[[Sequence[str]], list[str]]:
    """What turns a command into one that runs it enclosed under `account`; as a plain user, the command itself."""
    if os.geteuid() != 0:
        return list

    def wrap(command: Sequence[str]) -> list[str]:
        launch = enclose(
            command,
            account,
            writable=[str(path.absolute()) for path in writable],
            readable=[str(path.absolute()) for path in readable],
            hidden=[str(path.absolute()) for path in hidden],
            create=[str(path.absolute()) for path in create],
        )
        return [sys.executable, "-P", "-m", "commonshub.hub.launcher", json.dumps(launch.document())]

    return wrap


def give(path: Path, account: Account) -> Path:
    """Make a folder, closed to everybody but `account` (and root); return it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(path, account.uid, account.uid)
    return path


def folder_name(user: str) -> str:
    """A user's name as the name of a folder: unchanged where it is harmless, otherwise with escapes.

    Two names never share a folder: ``%`` is escaped too.
    """
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*", user):
        return user
    return "".join(
        char
        if re.fullmatch(r"[A-Za-z0-9_@+-]", char) or (char == "." and index)
        else "".join(f"%{byte:02x}" for byte in char.encode())
        for index, char in enumerate(user)
    )
