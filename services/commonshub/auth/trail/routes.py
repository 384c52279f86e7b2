"""Routes of :mod:`commonshub.auth.trail`."""

from commonshub.core.routing import Route

from .handlers import TrailHandler

ROUTES: list[Route] = [
    (r"/audit/log/?", TrailHandler),
    (r"/audit/log/(\w+)/?", TrailHandler),
]
