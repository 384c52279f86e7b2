"""What object stores list of a bucket, in S3's XML."""

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from .errors import UpstreamError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def size_of(text: str | None, what: object) -> int:
    """A size in bytes as a store writes it.

    Raises
    ------
    UpstreamError
        It gave none.
    """
    if text is None or not re.fullmatch(r"[0-9]{1,19}", text):
        raise UpstreamError(f"The object store gave no size of {what}.")
    return int(text)


def objects(bucket: str, text: bytes) -> tuple[list[tuple[str, int]], str]:
    """Keys and sizes of the objects on a page of a list, and the token of the next page; empty after the last.

    Raises
    ------
    UpstreamError
        It cannot be read.
    """
    root = _root(bucket, text, "ListBucketResult")
    encoded = root.findtext("{*}EncodingType") == "url"
    found = []
    for each in root.iterfind("{*}Contents"):
        key = each.findtext("{*}Key", "")
        # S3 and others write spaces as +, and + as %2B.
        key = unquote_plus(key) if encoded else key
        found.append((key, size_of(each.findtext("{*}Size", "0"), f"s3://{bucket}/{key}")))
    return found, root.findtext("{*}NextContinuationToken", "")


def uploads(bucket: str, text: bytes) -> list[tuple[str, str]]:
    """Keys and identifiers of the uploads in parts that nobody has ended.

    Raises
    ------
    UpstreamError
        It cannot be read.
    """
    root = _root(bucket, text, "ListMultipartUploadsResult")
    return [(each.findtext("{*}Key", ""), each.findtext("{*}UploadId", "")) for each in root.iterfind("{*}Upload")]


def _root(bucket: str, text: bytes, name: str) -> "Element":
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - expat expands no external entity, and bounds the others
    except ElementTree.ParseError as error:
        raise UpstreamError(f"The object store gave a list of {bucket!r} that cannot be read.") from error
    if root.tag.rpartition("}")[2] != name:
        raise UpstreamError(f"What answered for {bucket!r} is no object store: it gave no list of a bucket.")
    return root
