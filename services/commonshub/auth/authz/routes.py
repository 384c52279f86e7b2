"""Routes of :mod:`commonshub.auth.authz`."""

from commonshub.core.app import Route

from . import handlers as h

ROUTES: list[Route] = [
    (r"/authz/?", h.DecisionHandler),
    (r"/authz/mapping/?", h.MappingHandler),
    (r"/authz/resources/?", h.ResourcesHandler),
    (r"/authz/request/?", h.RequestHandler),
]
