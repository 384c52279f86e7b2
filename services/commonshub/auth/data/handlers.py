"""HTTP: temporary access to data. Bytes never pass here; the answers are URLs."""

from commonshub.core.access import SCOPE, Asker
from commonshub.core.errors import PermissionDenied

from ..handlers import AuthHandler
from .multipart import Running, part_number, read_parts
from .uploads import Wish, require_s3, seconds


class TransferHandler(AuthHandler):
    """Base of the data routes."""

    def require_scope(self) -> None:
        """Refuse who is not signed in, or whose token is not for data.

        Raises
        ------
        AuthenticationRequired, PermissionDenied
        """
        self.require_user()
        if SCOPE not in self.identity.scopes:
            raise PermissionDenied(f"This token lacks the scope {SCOPE}.")

    @property
    def asker(self) -> Asker:
        """Who asks, for the decision."""
        return Asker(self.auth.policy, self.identity, self.request_id)


class DownloadHandler(TransferHandler):
    """``GET /user/data/download/<guid>``: a URL that gives the bytes."""

    # Public data are for everybody, whatever stale token a client sends along.
    lenient = True

    async def get(self, guid: str) -> None:
        protocol = self.get_query_argument("protocol", None)
        url = await self.auth.access.download(self.asker, guid, protocol, self.integer("expires_in", low=1))
        if self.get_query_argument("redirect", None) is not None:
            self.redirect(url)
        else:
            self.reply({"url": url})


class UploadHandler(TransferHandler):
    """``POST /user/data/upload``: a new GUID and a URL to put its bytes to."""

    async def post(self) -> None:
        self.require_scope()
        guid, url = await self.auth.uploads.create(self.asker, Wish.read(self.json_object()))
        self.reply({"guid": guid, "url": url}, 201)


class UploadUrlHandler(TransferHandler):
    """``GET /user/data/upload/<guid>``: a URL to put the bytes of a record to that exists."""

    async def get(self, guid: str) -> None:
        self.require_scope()
        require_s3(self.get_query_argument("protocol", None))
        file_name = self.get_query_argument("file_name", None, strip=False)
        bucket = self.get_query_argument("bucket", None)
        expires_in = self.integer("expires_in", low=1)
        self.reply({"url": await self.auth.uploads.url(self.asker, guid, file_name, bucket, expires_in)})


class MultipartStartHandler(TransferHandler):
    """``POST /user/data/multipart/init``: begin an upload in parts."""

    async def post(self) -> None:
        self.require_scope()
        guid, upload_id = await self.auth.uploads.start(self.asker, Wish.read(self.json_object()))
        self.reply({"guid": guid, "uploadId": upload_id}, 201)


class MultipartPartHandler(TransferHandler):
    """``POST /user/data/multipart/upload``: a URL to put one part to."""

    async def post(self) -> None:
        self.require_scope()
        body = self.json_object()
        number, expires_in = part_number(body.get("partNumber")), seconds(body.get("expires_in"))
        url = await self.auth.uploads.part_url(self.asker, Running.read(body), number, expires_in)
        self.reply({"presigned_url": url})


class MultipartCompleteHandler(TransferHandler):
    """``POST /user/data/multipart/complete``: put the parts together."""

    async def post(self) -> None:
        self.require_scope()
        body = self.json_object()
        await self.auth.uploads.complete(self.asker, Running.read(body), read_parts(body))
        self.reply({"message": "OK"})


class DataHandler(TransferHandler):
    """``DELETE /user/data/<guid>``: delete a record and its bytes."""

    async def delete(self, guid: str) -> None:
        self.require_scope()
        await self.auth.uploads.delete(self.asker, guid)
        self.set_status(204)
        self.clear_header("Content-Type")
        self.finish()


class BucketsHandler(TransferHandler):
    """``GET /user/data/buckets``: the buckets of this commons, for who is signed in."""

    def get(self) -> None:
        self.require_user()
        settings = self.auth.storage_settings
        place = {"region": settings.region, "endpoint_url": settings.endpoint_url}
        described = {name: value for name, value in place.items() if value}
        names = sorted(self.auth.access.storage.buckets)
        self.reply({"S3_BUCKETS": dict.fromkeys(names, described), "GS_BUCKETS": {}})
