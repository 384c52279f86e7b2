"""Routes of :mod:`commonshub.auth.credentials`."""

from commonshub.core.routing import Route

from . import denylist, endings, exchange, handlers

KEYS = "/user/credentials/(?:api|cdis)"

ROUTES: list[Route] = [
    (r"/user/credentials/?", handlers.SourcesHandler),
    (r"/user/credentials/hub/access_token/?", exchange.HubTokenHandler),
    (r"/user/credentials/hub/api_key/?", exchange.HubKeyHandler),
    (r"/user/credentials/hub/ended/?", endings.EndedHandler),
    (r"/user/credentials/token/denylisted/?", denylist.DenylistHandler),
    (rf"{KEYS}/access_token/?", exchange.ExchangeHandler),
    (rf"{KEYS}/?", handlers.KeysHandler),
    (rf"{KEYS}/([\w.-]{{1,64}})/?", handlers.KeysHandler),
]
