"""GraphiQL, the editor on the portal's query page: its files come with npm, as the proxy does, once and for good.

They lie among the static files of the portal's package, so a wheel that is built afterwards carries them. What runs in
users' browsers with users' tokens must be what was looked at: each package has its checksum here.
"""

import base64
import hashlib
import hmac
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from commonshub.core.errors import CommonsError

from . import proxy


@dataclass(frozen=True)
class Package:
    """One version of a package of npm.

    Parameters
    ----------
    sha512
        Checksum of its archive, in base64, as npm writes it.
    files
        What is taken of it: names here by names in the archive.
    """

    name: str
    version: str
    sha512: str
    files: Mapping[str, str]


# All three: MIT. Later versions of GraphiQL come as modules, with an editor of several times the size.
PACKAGES = (
    Package(
        "graphiql",
        "3.8.3",
        "cuPDYtXVKV86Pu5PHBX642Odi/uVEE2y1Jxq5rGO/Qy1G2lRp7ZZ7a/T30RzxhuLSWo9zUbzq0P3U49//H0Ugw==",
        {"graphiql.min.js": "graphiql.js", "graphiql.min.css": "graphiql.css", "LICENSE": "LICENSE-graphiql"},
    ),
    Package(
        "react",
        "18.3.1",
        "wS+hAgJShR0KhEvPJArfuPVN1+Hz1t0Y6n5jLrGQbkb4urgPE/0Rve+1kMB1v/oWgHgm4WIcV+i7F2pTVj+2iQ==",
        {"umd/react.production.min.js": "react.js", "LICENSE": "LICENSE-react"},
    ),
    Package(
        "react-dom",
        "18.3.1",
        "5m4nQKp+rZRb09LNH59GM4BxTh9251/ylbKIbpe7TpGxfJ+9kv6BLkLBXIjjspbgbnIBNqlI23tRnTWT0snUIw==",
        {"umd/react-dom.production.min.js": "react-dom.js", "LICENSE": "LICENSE-react-dom"},
    ),
)

# Dialogs of GraphiQL bring a style sheet of their own, which the page's policy lets in by the nonce of the script.
NONCE = (b"__webpack_require__.nc = undefined;", b"__webpack_require__.nc = document.currentScript.nonce;")


def home() -> Path:
    """Folder of the editor's files, which is there only when all of them are."""
    portal = find_spec("commonshub.portal")
    assert portal is not None
    assert portal.origin is not None
    return Path(portal.origin).parent / "static" / "graphiql"


def install(say: Callable[[str], None] = print) -> Path:
    """Fetch the editor's files with npm unless they are there; return their folder.

    Raises
    ------
    CommonsError
        npm failed, or gave something else than what is meant.
    """
    folder = home()
    if folder.is_dir():
        return folder
    say("Fetching the query editor (GraphiQL) with npm …")
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".graphiql-") as place:
            fresh = Path(place) / "files"
            fresh.mkdir()
            for package in PACKAGES:
                archive = proxy.pack(f"{package.name}@{package.version}", Path(place))
                take(package, archive, fresh)
            fresh.chmod(0o755)
            fresh.rename(folder)
    except OSError as error:
        # Another process may have been first.
        if not folder.is_dir():
            raise CommonsError(f"The query editor cannot be put into {folder}: {error.strerror}.") from error
    return folder


def take(package: Package, archive: Path, folder: Path) -> None:
    """Put the files of `package` into `folder`.

    Raises
    ------
    CommonsError
        The archive is not the one that is meant.
    """
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if not hmac.compare_digest(digest, package.sha512):
        raise CommonsError(f"{package.name} {package.version} is not what it should be: its SHA-512 is {digest}.")
    with tarfile.open(archive) as content:
        for name, own in package.files.items():
            source = content.extractfile(f"package/{name}")
            assert source is not None
            with source:
                (folder / own).write_bytes(source.read().replace(*NONCE))
            (folder / own).chmod(0o644)


if __name__ == "__main__":
    install()
