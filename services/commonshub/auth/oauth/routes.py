"""Routes of :mod:`commonshub.auth.oauth`."""

from commonshub.core.routing import Route

from . import admin, discovery, handlers, pages, revocation

WELL_KNOWN = "(?:/user)?/.well-known"

ROUTES: list[Route] = [
    (rf"{WELL_KNOWN}/jwks/?", discovery.JwksHandler),
    (rf"{WELL_KNOWN}/openid-configuration/?", discovery.DiscoveryHandler),
    (r"/user/jwt/keys/?", discovery.PemHandler),
    (r"/user/oauth2/authorize/?", pages.AuthorizeHandler),
    (r"/user/oauth2/token/?", handlers.TokenHandler),
    (r"/user/oauth2/revoke/?", revocation.RevokeHandler),
    (r"/user/oauth2/errors/?", handlers.ErrorsHandler),
    (r"/user/oauth2/applications/?", revocation.ApplicationsHandler),
    (r"/user/oauth2/applications/([\w.-]{1,64})/?", revocation.ApplicationsHandler),
    (r"/user/oauth_callback/?", pages.CallbackHandler),
    (r"/user/admin/client/?", admin.ClientsHandler),
    (r"/user/admin/client/([\w.-]{1,64})/?", admin.ClientHandler),
    (r"/user/admin/client/([\w.-]{1,64})/rotate/?", admin.RotateHandler),
]
