"""S3 as the services use it: presigned URLs for the clients, streams for the verifier.

The bytes of a data object never pass through a handler. boto3 is imported on first use, because it is the largest
import of all and several services never sign anything.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from .errors import BadRequest, NotFound
from .settings import StorageSettings


class Location(NamedTuple):
    """Where an object's bytes are: ``s3://bucket/key``."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, url: str) -> "Location":
        """Read an ``s3://`` URL.

        Raises
        ------
        BadRequest
            `url` has another scheme, no bucket or no key.
        """
        # Not urlsplit: it cuts at ? and #, which are ordinary characters of a key, and refuses brackets.
        bucket, _, key = url.removeprefix("s3://").partition("/")
        if not url.startswith("s3://") or not bucket or not key:
            raise BadRequest(f"{url!r} is not of the form s3://bucket/key.")
        return cls(bucket, key)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class Head(NamedTuple):
    """What the store says of an object."""

    size: int
    etag: str


class Storage:
    """One S3-compatible object store."""

    def __init__(self, settings: StorageSettings) -> None:
        self.settings = settings

    @property
    def buckets(self) -> set[str]:
        """Buckets of this commons: no URL is signed for any other."""
        return {self.settings.upload_bucket, *self.settings.buckets}

    @cached_property
    def client(self) -> Any:
        """The boto3 client; thread-safe."""
        import boto3
        from botocore.config import Config

        keys = {}
        if self.settings.credentials_file:
            stored = json.loads(Path(self.settings.credentials_file).read_text())
            keys = {"aws_access_key_id": stored["access_key"], "aws_secret_access_key": stored["secret_key"]}
        return boto3.client(
            "s3",
            endpoint_url=self.settings.endpoint_url or None,
            region_name=self.settings.region,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 3}),
            **keys,
            **self.settings.extra,
        )

    def presign(self, method: str, location: Location, ttl_s: int, **parameters: Any) -> str:
        """A URL that does exactly one thing with one object for `ttl_s` seconds.

        Signing is local computation: no request is made.

        Parameters
        ----------
        method
            boto3's name of the operation: ``get_object``, ``put_object``, ``upload_part``…
        """
        if location.bucket not in self.buckets:
            raise NotFound(f"This commons has no access to bucket {location.bucket!r}.")
        parameters = {"Bucket": location.bucket, "Key": location.key, **parameters}
        url: str = self.client.generate_presigned_url(method, Params=parameters, ExpiresIn=ttl_s)
        return url

    def head(self, location: Location) -> Head | None:
        """Size and ETag of an object, or None where there is none."""
        from botocore.exceptions import ClientError

        try:
            answer = self.client.head_object(Bucket=location.bucket, Key=location.key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
                return None
            raise
        return Head(answer["ContentLength"], answer["ETag"])

    def stream(self, location: Location, chunk_bytes: int = 2**20) -> Iterator[bytes]:
        """The bytes of an object in order, a chunk at a time.

        Raises
        ------
        NotFound
            There is no such object.
        """
        from botocore.exceptions import ClientError

        try:
            answer = self.client.get_object(Bucket=location.bucket, Key=location.key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
                raise NotFound(f"There is no object at {location}.") from error
            raise
        # Entering the body itself would give urllib3's response, which has no iter_chunks.
        with closing(answer["Body"]) as body:
            yield from body.iter_chunks(chunk_bytes)

    def start_multipart(self, location: Location) -> str:
        """Begin an upload in parts; the identifier of the upload."""
        return str(self.client.create_multipart_upload(Bucket=location.bucket, Key=location.key)["UploadId"])

    def complete_multipart(self, location: Location, upload_id: str, parts: list[dict[str, Any]]) -> None:
        """Put the parts of an upload together.

        Parameters
        ----------
        parts
            ``PartNumber`` and ``ETag`` of each.

        Raises
        ------
        BadRequest
            The store does not know the upload, or the parts are not what it has.
        """
        from botocore.exceptions import ClientError

        try:
            self.client.complete_multipart_upload(
                Bucket=location.bucket, Key=location.key, UploadId=upload_id, MultipartUpload={"Parts": parts}
            )
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                code = error.response.get("Error", {}).get("Code", "")
                raise BadRequest(f"The object store refuses to put these parts together ({code}).") from error
            raise

    def delete(self, location: Location) -> None:
        """Delete an object; no error where there is none."""
        self.client.delete_object(Bucket=location.bucket, Key=location.key)
