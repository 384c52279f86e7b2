"""Routes of :mod:`commonshub.auth.data`."""

from commonshub.core.routing import Route

from . import handlers as h

ROUTES: list[Route] = [
    (r"/user/data/upload/?", h.UploadHandler),
    (r"/user/data/upload/(.+?)/?", h.UploadUrlHandler),
    (r"/user/data/download/bulk/?", h.BulkDownloadHandler),
    (r"/user/data/download/(.+?)/?", h.DownloadHandler),
    (r"/user/data/multipart/init/?", h.MultipartStartHandler),
    (r"/user/data/multipart/upload/?", h.MultipartPartHandler),
    (r"/user/data/multipart/complete/?", h.MultipartCompleteHandler),
    (r"/user/data/buckets/?", h.BucketsHandler),
    (r"/user/data/(.+?)/?", h.DataHandler),
]
