"""Routes of :mod:`commonshub.auth.login`."""

from commonshub.core.routing import Route

from . import handlers as h

IDP = "([a-z0-9][a-z0-9_-]*)"

ROUTES: list[Route] = [
    (r"/user/login/?", h.ChoiceHandler),
    (r"/user/login/assertion/?", h.AssertionHandler),
    (r"/user/login/end/?", h.EndHandler),
    (rf"/user/login/{IDP}/?", h.BeginHandler),
    (rf"/user/login/{IDP}/login/?", h.CallbackHandler),
    (r"/user/logout/?", h.LogoutHandler),
    (r"/user/logout/done/?", h.LoggedOutHandler),
]
