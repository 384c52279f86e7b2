"""Routes of :mod:`commonshub.auth.wts`."""

from commonshub.core.routing import Route

from . import handlers as h
from . import pages

ROUTES: list[Route] = [
    (r"/wts/token/?", h.TokenHandler),
    (r"/wts/external_oidc/?", h.ProvidersHandler),
    (r"/wts/oauth2/connected/?", h.ConnectedHandler),
    (r"/wts/oauth2/logout/?", h.LogoutHandler),
    # Gen3's portal brings a slash too many.
    (r"/wts/oauth2/+(authorization_url|authorize)/?", pages.Onward),
    (r"/user/wts/authorization_url/?", pages.ConnectHandler),
    (r"/user/wts/authorize/?", pages.ReturnHandler),
]
