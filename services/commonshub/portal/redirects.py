"""Where a sign-in may lead back to: a page of the portal, and nowhere else."""

import re

HOME = "/portal/"
MAX_CHARS = 512
_PAGE = re.compile(r"/portal/[A-Za-z0-9_\-./]*(\?[A-Za-z0-9_\-.=&]*)?")


def safe_next(text: str | None) -> str:
    """`text` if it is the path of a portal page, else the landing page.

    Only the few characters that our own addresses are made of are let through, so that no browser can read another
    host, scheme or folder into it: no backslash, no percent sign, no empty segment, no dots to climb with.
    """
    if not text or len(text) > MAX_CHARS or not _PAGE.fullmatch(text):
        return HOME
    path = text.partition("?")[0]
    return HOME if "//" in path or ".." in path or "/./" in path else text
