"""Tokens of other commons, encrypted where they are stored.

The key is in a file of its own (mode 0600), made when it is first needed: who reads the database alone learns nothing.
The file holds one key a line. The first encrypts; to rotate, put a new one before the others, and remove those when
every connection has been renewed with the new one.
"""

import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from commonshub.core.errors import CommonsError


class Unreadable(CommonsError):
    """The key that this was encrypted with is gone."""


class Vault:
    """Encrypts and decrypts with the keys in one file.

    Parameters
    ----------
    file
        The keys.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def seal(self, text: str) -> str:
        """The encrypted form of a token."""
        return self._keys().encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The token in its encrypted form.

        Raises
        ------
        Unreadable
            None of the keys fits.
        """
        try:
            return self._keys().decrypt(sealed).decode()
        except InvalidToken as error:
            raise Unreadable("What was stored for this connection cannot be read any more.") from error

    def _keys(self) -> MultiFernet:
        """Read each time: a rotation needs no restart."""
        if not self.file.exists():
            self._make()
        return MultiFernet([Fernet(key) for key in self.file.read_text().split()])

    def _make(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self.file.with_name(f"{self.file.name}.{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_bytes(Fernet.generate_key())
        # Of two processes that make one at once, both take the first's.
        with suppress(FileExistsError):
            self.file.hardlink_to(fresh)
        fresh.unlink()
