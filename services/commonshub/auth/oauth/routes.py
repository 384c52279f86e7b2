"""Routes of :mod:`commonshub.auth.oauth`."""

from commonshub.core.app import Route

from . import discovery

WELL_KNOWN = "(?:/user)?/.well-known"

ROUTES: list[Route] = [
    (rf"{WELL_KNOWN}/jwks/?", discovery.JwksHandler),
    (rf"{WELL_KNOWN}/openid-configuration/?", discovery.DiscoveryHandler),
    (r"/user/jwt/keys/?", discovery.PemHandler),
]
