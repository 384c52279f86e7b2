"""Our presigned URLs are botocore's."""

from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from commonshub.core.signature import Deed, Secret, presign

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
NAME = st.text("ABCDEFxyz0189-_.", min_size=1, max_size=20)
ENDPOINT = st.sampled_from(["http://127.0.0.1:9000", "https://S3.example.org", "http://s3:80", "https://s3:443"])


@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE"]),
    endpoint=ENDPOINT,
    key=TEXT,
    query=st.dictionaries(NAME, st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=3),
    headers=st.fixed_dictionaries({}, optional={"Content-MD5": NAME, "Content-Length": st.just("7")}),
    secret=st.builds(Secret, NAME, TEXT, st.none() | TEXT),
    region=st.sampled_from(["us-east-1", "eu-central-1"]),
    ttl_s=st.integers(1, 604_800),
)
def test_a_signature_is_botocores(
    method: str,
    endpoint: str,
    key: str,
    query: dict[str, str],
    headers: dict[str, str],
    secret: Secret,
    region: str,
    ttl_s: int,
) -> None:
    address = f"{endpoint}/bucket/{quote(key, safe='/-_.~')}"
    request = AWSRequest(method=method, url=address, params=query, headers=headers)
    S3SigV4QueryAuth(Credentials(*secret), "s3", region, expires=ttl_s).add_auth(request)
    theirs = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
    moment = datetime.strptime(theirs["X-Amz-Date"] + "+0000", "%Y%m%dT%H%M%SZ%z")
    url = presign(Deed(method, address, query, headers), secret, region, ttl_s, moment)
    assert url.partition("?")[0] == address
    assert dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)) == theirs
