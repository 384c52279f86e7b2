"""Where a sign-in may lead back to: a page of the portal, and nowhere else."""

from commonshub.core.errors import BadRequest
from commonshub.core.redirects import own_path

HOME = "/portal/"
MAX_CHARS = 512


def safe_next(text: str | None) -> str:
    """`text` if it is the path of a portal page, else the landing page.

    The addresses of our pages need no escapes, and hold no other address.
    """
    if not text or len(text) > MAX_CHARS or not text.startswith(HOME) or any(each in text for each in ("%", "//", ":")):
        return HOME
    try:
        return own_path(text)
    except BadRequest:
        return HOME
