"""Routes of :mod:`commonshub.auth.users`."""

from commonshub.core.routing import Route

from . import handlers as h

_USERS = "/user/admin/users?"

ROUTES: list[Route] = [
    (r"/user/user/?", h.UserHandler),
    (rf"{_USERS}/?", h.AccountsHandler),
    (rf"{_USERS}/([^/]+)/?", h.AccountHandler),
    (rf"{_USERS}/([^/]+)/soft/?", h.DeactivationHandler),
    (rf"{_USERS}/([^/]+)/reactivate/?", h.ReactivationHandler),
]
