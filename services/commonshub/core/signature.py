"""Presigned URLs: AWS Signature Version 4 in the query, as S3 takes it.

A URL of botocore's costs 60 to 100 µs, a sixth of a whole download, because it derives the day's key and takes the URL
apart anew every time. These fifteen lines cost 15 µs; a test holds them equal to botocore's for any key, query and
credentials.

Source: "Authenticating Requests: Using Query Parameters" in the reference of Amazon S3.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
_PORTS = {"http": ":80", "https": ":443"}


class Secret(NamedTuple):
    """Credentials for one object store; `token` goes with temporary ones."""

    access_key: str
    secret_key: str
    token: str | None = None


def presign(
    method: str, address: str, query: Mapping[str, str], secret: Secret, region: str, ttl_s: int, moment: datetime
) -> str:
    """`address` with a signature that lets anybody use `method` on it, with exactly `query`, for `ttl_s` seconds.

    Parameters
    ----------
    address
        URL of an object, its key percent-encoded, without a query.
    moment
        When the time begins to run, in UTC.
    """
    stamp = moment.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    signed = {
        **query,
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{secret.access_key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(ttl_s),
        "X-Amz-SignedHeaders": "host",
        **({"X-Amz-Security-Token": secret.token} if secret.token else {}),
    }
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in signed.items())
    text = "&".join(f"{name}={value}" for name, value in pairs)
    scheme, _, rest = address.partition("://")
    host, _, path = rest.partition("/")
    # The header as clients send it: without the port that the scheme implies.
    host = host.lower().removesuffix(_PORTS.get(scheme, "\0"))
    request = f"{method}\n/{path}\n{text}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = _key(secret.secret_key, stamp[:8], region)
    signature = hmac.digest(key, f"{ALGORITHM}\n{stamp}\n{scope}\n{digest}".encode(), "sha256").hex()
    return f"{address}?{text}&X-Amz-Signature={signature}"


@lru_cache(maxsize=64)
def _key(secret_key: str, day: str, region: str) -> bytes:
    """The key of a day."""
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
