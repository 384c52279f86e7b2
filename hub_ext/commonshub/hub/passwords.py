"""Passwords of the embedded sign-in: one scrypt hash per account, in a private file.

The commands ``commonshub user add`` and the hub are different processes, so the file is read again whenever it changed.
"""

import base64
import hashlib
import hmac
import json
import secrets
from pathlib import Path
from typing import TypedDict

from commonshub.core.errors import ValidationFailed
from commonshub.core.files import write_whole
from commonshub.core.signin import NAME

from .files import read_json

# Costs about 60 ms and 16 MB per check: OWASP's recommendation for scrypt with N = 2^14 asks for p = 5.
N, R, P = 2**14, 8, 5
LONGEST_PASSWORD_BYTES = 1024


class Account(TypedDict):
    """What the file holds of one account."""

    salt: str
    hash: str
    admin: bool


class Passwords:
    """The accounts in one file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def accounts(self) -> dict[str, Account]:
        """All accounts by name."""
        return {name: account for name, account in read_json(self.file).items() if isinstance(account, dict)}  # type: ignore[misc]

    def set(self, name: str, password: str, *, admin: bool = False) -> None:
        """Make an account, or give it a new password.

        Raises
        ------
        ValidationFailed
            The name is none that can be signed in with.
        """
        check_name(name)
        salt = secrets.token_bytes(16)
        account = Account(salt=_text(salt), hash=_text(derive(password, salt)), admin=admin)
        write_whole(self.file, json.dumps({**self.accounts(), name: account}, indent=1))

    def remove(self, name: str) -> None:
        """Remove an account, where there is one; who is signed in with it has to sign in again, which he cannot."""
        accounts = self.accounts()
        if accounts.pop(name, None):
            write_whole(self.file, json.dumps(accounts, indent=1))

    def check(self, name: str, password: str) -> Account | None:
        """The account, when the password is right.

        An unknown name costs as much time as a wrong password.
        """
        account = self.accounts().get(name)
        salt = base64.b64decode(account["salt"]) if account else b"\0" * 16
        expected = base64.b64decode(account["hash"]) if account else b"\0" * 32
        if len(password.encode()) > LONGEST_PASSWORD_BYTES:
            return None
        right = hmac.compare_digest(derive(password, salt), expected)
        return account if right and account else None


def check_name(name: str) -> None:
    """Refuse a name that cannot be signed in with.

    Raises
    ------
    ValidationFailed
        It is one.
    """
    if not NAME.fullmatch(name):
        raise ValidationFailed(
            f"{name!r} cannot be a user name: use lower-case letters, digits and . _ @ + - (at most 64 in all, "
            "a letter or digit first)."
        )


def generate() -> str:
    """A password that is hard to guess and easy to type: 20 characters, 100 bits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789ACDE"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def derive(password: str, salt: bytes) -> bytes:
    """The hash of a password."""
    return hashlib.scrypt(password.encode(), salt=salt, n=N, r=R, p=P, maxmem=64 * 2**20, dklen=32)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
