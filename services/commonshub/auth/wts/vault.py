"""Tokens of other commons, encrypted where they are stored.

The key is in a file of its own (mode 0600), made when it is first needed: who reads the database alone learns nothing.
The file holds one key a line. The first encrypts; to rotate, put a new one before the others, and remove those when
every connection has been renewed with the new one.
"""

from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from commonshub.core.errors import CommonsError
from commonshub.core.files import kept_secret


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
        return MultiFernet([Fernet(key) for key in kept_secret(self.file, _make).split()])


def _make() -> str:
    return Fernet.generate_key().decode()
