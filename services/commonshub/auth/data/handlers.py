"""HTTP: temporary access to data. Bytes never pass here; the answers are URLs."""

from commonshub.core.access import Asker, require_scope
from commonshub.core.downloads import Options, Wanted, sort_outcomes
from commonshub.core.errors import CommonsError
from commonshub.core.uploads import Promise, Wish, require_s3, seconds

from ..handlers import AuthHandler
from .bulk import read_guids
from .multipart import Running, part_number, read_parts
from .pages import error_page, prefers_html


class TransferHandler(AuthHandler):
    """Base of the data routes."""

    def finish_error(self, error: CommonsError) -> None:
        """As JSON, or as a page for browsers."""
        if not prefers_html(self.request.headers.get("Accept", "")):
            super().finish_error(error)
            return
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", "default-src 'none'")
        self.finish(error_page(error.status, error.message, self.request_id))

    def require_scope(self) -> None:
        """Refuse who is not signed in, or whose token is not for data.

        Raises
        ------
        AuthenticationRequired, PermissionDenied
        """
        require_scope(self.identity)

    @property
    def asker(self) -> Asker:
        """Who asks, for the decision."""
        return Asker(self.auth.policy, self.identity, self.request_id)

    def wishes(self) -> Options:
        """How a download is wanted, from the query.

        Raises
        ------
        BadRequest
            ``expires_in`` is no number of seconds.
        """
        return Options.read(
            self.get_query_argument("protocol", None),
            self.integer("expires_in", low=1),
            self.get_query_argument("no_force_sign", ""),
        )


class DownloadHandler(TransferHandler):
    """``GET /user/data/download/<guid>``: a URL that gives the bytes."""

    # Public data are for everybody, whatever stale token a client sends along.
    lenient = True

    async def get(self, guid: str) -> None:
        url = await self.auth.downloads.url(Wanted(self.asker, guid, self.wishes()))
        if self.get_query_argument("redirect", None) is not None:
            self.redirect(url)
        else:
            self.reply({"url": url})


class BulkDownloadHandler(TransferHandler):
    """``POST /user/data/download/bulk``: the same for many, in one transaction."""

    lenient = True

    async def post(self) -> None:
        guids = read_guids(self.json_object(), self.auth.storage_settings.max_bulk_downloads)
        asker, options, path = self.asker, self.wishes(), self.request.path
        wanted = [Wanted(asker, guid, options, path=path) for guid in guids]
        outcomes = await self.auth.downloads.urls(wanted)
        urls, failed = sort_outcomes(zip(guids, outcomes, strict=True))
        self.reply({"urls": [{"drs_object_id": guid, "url": url} for guid, url in urls], "failed_guids": failed})


def required(wish: Wish) -> dict[str, dict[str, str]]:
    """What an answer says of the headers that an upload must have, where it must have some."""
    return {"headers": wish.promise.headers} if wish.promise.headers else {}


class UploadHandler(TransferHandler):
    """``POST /user/data/upload``: a new GUID and a URL to put its bytes to."""

    async def post(self) -> None:
        self.require_scope()
        wish = Wish.read(self.json_object())
        guid, url = await self.auth.uploads.create(self.asker, wish)
        self.reply({"guid": guid, "url": url, **required(wish)}, 201)


class UploadUrlHandler(TransferHandler):
    """``GET /user/data/upload/<guid>``: a URL to put the bytes of a record to that exists."""

    async def get(self, guid: str) -> None:
        self.require_scope()
        require_s3(self.get_query_argument("protocol", None))
        wish = Wish(
            self.get_query_argument("file_name", None, strip=False) or guid.replace("/", "_"),
            bucket=self.get_query_argument("bucket", None),
            expires_in=self.integer("expires_in", low=1),
            promise=Promise.read(self.integer("size"), self.get_query_argument("md5", None)),
        )
        self.reply({"url": await self.auth.uploads.url(self.asker, guid, wish), **required(wish)})


class MultipartStartHandler(TransferHandler):
    """``POST /user/data/multipart/init``: begin an upload in parts."""

    async def post(self) -> None:
        self.require_scope()
        guid, upload_id = await self.auth.uploads.start(self.asker, Wish.read(self.json_object(), parts=True))
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
        storage = self.auth.downloads.storage
        described = {}
        for bucket in sorted(storage.buckets):
            store = storage.store(bucket)
            place = {"region": store.region, "endpoint_url": store.endpoint_url}
            described[bucket] = {name: value for name, value in place.items() if value}
        self.reply({"S3_BUCKETS": described, "GS_BUCKETS": {}})
