"""Routes of :mod:`commonshub.auth.authz`: Arborist's below ``/authz``, and the shorter ones of Gen3's public side."""

from commonshub.core.routing import Route

from . import definitions as d
from . import handlers as h
from . import subjects as s

_NAME = "([^/]+)"

ROUTES: list[Route] = [
    (r"/authz/(?:auth/)?request/?", h.RequestHandler),
    (r"/authz/(?:auth/)?mapping/?", h.MappingHandler),
    (r"/authz/(?:auth/)?resources/?", h.ResourcesHandler),
    (r"/authz(?:/auth/proxy)?/?", h.DecisionHandler),
    (r"/authz/health/?", h.HealthHandler),
    (r"/authz/resource/?", d.ResourcesHandler),
    (r"/authz/resource(/.+)", d.ResourcesHandler),
    (r"/authz/role/?", d.RolesHandler),
    (rf"/authz/role/{_NAME}/?", d.RolesHandler),
    (r"/authz/policy/?", d.PoliciesHandler),
    (rf"/authz/policy/{_NAME}/?", d.PoliciesHandler),
    (r"/authz/bulk/policy/?", d.BulkPoliciesHandler),
    (r"/authz/user/?", s.UsersHandler),
    (rf"/authz/user/{_NAME}/?", s.UserHandler),
    (rf"/authz/user/{_NAME}/policy/?", s.UserPoliciesHandler),
    (rf"/authz/user/{_NAME}/bulk/policy/?", s.BulkUserPoliciesHandler),
    (rf"/authz/user/{_NAME}/policy/{_NAME}/?", s.UserPolicyHandler),
    (rf"/authz/user/{_NAME}/resources/?", s.UserResourcesHandler),
    (r"/authz/group/?", s.GroupsHandler),
    (rf"/authz/group/{_NAME}/?", s.GroupHandler),
    (rf"/authz/group/{_NAME}/user/?", s.GroupUsersHandler),
    (rf"/authz/group/{_NAME}/user/{_NAME}/?", s.GroupUserHandler),
    (rf"/authz/group/{_NAME}/policy/?", s.GroupPoliciesHandler),
    (rf"/authz/group/{_NAME}/policy/{_NAME}/?", s.GroupPolicyHandler),
    (r"/authz/client/?", s.ClientsHandler),
    (rf"/authz/client/{_NAME}/?", s.ClientHandler),
    (rf"/authz/client/{_NAME}/policy/?", s.ClientPoliciesHandler),
    (rf"/authz/client/{_NAME}/policy/{_NAME}/?", s.ClientPoliciesHandler),
    (r"/authz/.+", h.NothingHandler),
]
