"""Routes of :mod:`commonshub.auth.wts`."""

from commonshub.core.app import Route

from . import handlers as h

ROUTES: list[Route] = [
    (r"/wts/external_oidc/?", h.ProvidersHandler),
]
