"""Local file names for names that a server gives: one path segment, whatever the server says."""

import re
import unicodedata

MAX_NAME_BYTES = 200  # most file systems allow 255; the rest is for our own suffixes

_SEPARATORS = re.compile(r"[\\/]+")
# Control and invisible formatting characters (they can disguise an extension), and what Windows refuses.
_REFUSED = re.compile(r'[<>:"|?*]')
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def safe_name(given: str | None, guid: str) -> str:
    """One visible, portable path segment for a file.

    Parameters
    ----------
    given
        The name on record, which may be anything.
    guid
        Used where nothing usable is left of the name.
    """
    for candidate in (given or "", guid):
        segments = [part for part in _SEPARATORS.split(candidate) if part]
        last = segments[-1] if segments else ""
        name = _cleaned(last)
        if name:
            return name
    return "file"


def apart(name: str, guid: str) -> str:
    """The name with a part of the GUID before its extensions, for two files that have the same name."""
    stem, dot, rest = name.partition(".")
    tag = re.sub(r"[^A-Za-z0-9]", "", guid.rpartition("/")[2])[:8] or "copy"
    return f"{stem}-{tag}{dot}{rest}"


def _cleaned(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    kinds = [(char, unicodedata.category(char)[0]) for char in text]
    text = "".join(" " if kind == "Z" else char for char, kind in kinds if kind != "C")
    text = _REFUSED.sub("_", text).strip().rstrip(". ")
    # A leading dot hides a file and may configure a program (.bashrc).
    text = text.lstrip(".").strip()
    if _DEVICES.fullmatch(text):
        text = f"_{text}"
    return _shortened(text)


def _shortened(text: str) -> str:
    if len(text.encode()) <= MAX_NAME_BYTES:
        return text
    stem, dot, extension = text.rpartition(".")
    if not stem or len(extension.encode()) > 20:
        stem, dot, extension = text, "", ""
    room = MAX_NAME_BYTES - len(f"{dot}{extension}".encode())
    return stem.encode()[:room].decode(errors="ignore") + dot + extension
