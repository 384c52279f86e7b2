"""Routes of :mod:`commonshub.auth.users`."""

from commonshub.core.app import Route

from . import handlers as h

ROUTES: list[Route] = [
    (r"/user/user/?", h.UserHandler),
]
