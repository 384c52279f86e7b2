"""HTTP: users, groups and clients as those who are granted something, in Arborist's form."""

from typing import ClassVar

from commonshub.core import audit
from commonshub.core.errors import BadRequest
from commonshub.core.identity import Identity

from ..names import username
from ..users.store import get_user
from . import forms, groups, people
from .administration import AdministrationHandler

_GRANTS: dict[str, audit.Action] = {"POST": "grant", "DELETE": "revoke"}


class UsersHandler(AdministrationHandler):
    """``/authz/user`` and ``/authz/user/<name>``."""

    actions: ClassVar = {"POST": "create_user", "PATCH": "change_user", "DELETE": "delete_user"}

    async def get(self) -> None:
        self.reply_page("users", *await self.read(people.list_users, self.page()))

    async def post(self) -> None:
        user, source = forms.new_user(self.json()), self.source
        detail = {"groups": user.groups, "policies": user.policies}
        await self.alter([user.name], detail, lambda c, schema: people.create_user(c, schema, user, source))
        self.reply({"created": await self.read(people.read_user, user.name)}, 201)


class UserHandler(AdministrationHandler):
    """``/authz/user/<name>``: one user and what he was given."""

    actions: ClassVar = UsersHandler.actions
    own: ClassVar = True

    async def get(self, name: str) -> None:
        self.reply(await self.read(people.read_user, username(name)))

    async def patch(self, name: str) -> None:
        body, name = forms.check("change of a user", self.json()), username(name)
        new_name = username(body["name"]) if "name" in body else None
        await self.alter([name], {}, lambda c, schema: people.change_user(c, schema, name, new_name, body.get("email")))
        self.reply_nothing()

    async def delete(self, name: str) -> None:
        name, source, ttl_s = username(name), self.source, self.auth.longest_life_s
        await self.alter([name], {}, lambda c, schema: people.delete_user(c, schema, name, source, ttl_s))
        self.reply_nothing()


class UserPoliciesHandler(AdministrationHandler):
    """``/authz/user/<name>/policy``: gives a policy, or takes all that the caller's source gave."""

    actions: ClassVar = _GRANTS
    several: ClassVar[bool] = False

    async def post(self, name: str) -> None:
        body, name, source = self.json(), username(name), self.source
        if isinstance(body, list) != self.several:
            raise BadRequest("The body must be a list of grants." if self.several else "The body must be one grant.")
        grants = forms.grants(body)
        ends = {each.name: each.expires_at for each in grants}
        await self.alter(
            [name],
            {"policies": {policy: None if end is None else end.isoformat() for policy, end in ends.items()}},
            lambda c, schema: people.grant_to_user(c, schema, name, grants, source),
        )
        self.reply_nothing()

    async def delete(self, name: str) -> None:
        name, source = username(name), self.source
        await self.alter(
            [name], {"policies": "all"}, lambda c, schema: people.revoke_all_from_user(c, schema, name, source)
        )
        self.reply_nothing()


class BulkUserPoliciesHandler(UserPoliciesHandler):
    """``/authz/user/<name>/bulk/policy``: gives several policies, all or none."""

    several: ClassVar = True


class UserPolicyHandler(AdministrationHandler):
    """``/authz/user/<name>/policy/<policy>``: takes a policy away."""

    actions: ClassVar = _GRANTS

    async def delete(self, name: str, policy: str) -> None:
        name, source = username(name), self.source
        await self.alter(
            [name],
            {"policies": [policy]},
            lambda c, schema: people.revoke_from_user(c, schema, name, policy, source),
        )
        self.reply_nothing()


class UserResourcesHandler(AdministrationHandler):
    """``/authz/user/<name>/resources``: the paths on which a user may do something."""

    own: ClassVar = True

    async def get(self, name: str) -> None:
        user = await self.read(get_user, username(name))
        service, method = (self.get_query_argument(key, "") for key in ("service", "method"))
        mapping = self.auth.policy.mapping(Identity(user.username))
        found = [
            path
            for path, actions in mapping.items()
            if any(
                (not service or each["service"] in ("*", service)) and (not method or each["method"] in ("*", method))
                for each in actions
            )
        ]
        self.reply({"resources": sorted(found)})


class GroupsHandler(AdministrationHandler):
    """``/authz/group``: the groups."""

    async def get(self) -> None:
        self.reply_page("groups", *await self.read(groups.list_groups, self.page()))

    async def post(self) -> None:
        group, source = forms.group(self.json()), self.source
        await self.alter(
            [group.name], self._told(group), lambda c, schema: groups.create_group(c, schema, group, source)
        )
        self.reply({"created": await self.read(groups.read_group, group.name)}, 201)

    async def put(self) -> None:
        group, source = forms.group(self.json()), self.source
        await self.alter([group.name], self._told(group), lambda c, schema: groups.put_group(c, schema, group, source))
        self.reply({"created": await self.read(groups.read_group, group.name)}, 201)

    def _told(self, group: forms.Group) -> dict[str, object]:
        return {"kind": "group", "users": group.users[:100], "policies": group.policies[:100]}


class GroupHandler(AdministrationHandler):
    """``/authz/group/<name>``: one group."""

    async def get(self, name: str) -> None:
        self.reply(await self.read(groups.read_group, name))

    async def delete(self, name: str) -> None:
        source = self.source
        await self.alter([name], {"kind": "group"}, lambda c, schema: groups.delete_group(c, schema, name, source))
        self.reply_nothing()


class GroupUsersHandler(AdministrationHandler):
    """``/authz/group/<name>/user``: puts a user into a group."""

    actions: ClassVar = _GRANTS

    async def post(self, name: str) -> None:
        (user, until), source = forms.member(self.json()), self.source
        await self.alter(
            [user],
            {"group": name, "expires_at": None if until is None else until.isoformat()},
            lambda c, schema: groups.join_group(c, schema, name, user, until, source),
        )
        self.reply_nothing()


class GroupUserHandler(AdministrationHandler):
    """``/authz/group/<name>/user/<user>``: takes a user out of a group."""

    actions: ClassVar = _GRANTS

    async def delete(self, name: str, user: str) -> None:
        user, source = username(user), self.source
        await self.alter([user], {"group": name}, lambda c, schema: groups.leave_group(c, schema, name, user, source))
        self.reply_nothing()


class GroupPoliciesHandler(AdministrationHandler):
    """``/authz/group/<name>/policy``: gives a group a policy."""

    actions: ClassVar = _GRANTS

    async def post(self, name: str) -> None:
        grant, source = _one_grant(self), self.source
        await self.alter(
            [name],
            {"kind": "group", "policies": [grant.name]},
            lambda c, schema: groups.grant_to_group(c, schema, name, grant, source),
        )
        self.reply_nothing()


class GroupPolicyHandler(AdministrationHandler):
    """``/authz/group/<name>/policy/<policy>``: takes a policy from a group."""

    actions: ClassVar = _GRANTS

    async def delete(self, name: str, policy: str) -> None:
        source = self.source
        await self.alter(
            [name],
            {"kind": "group", "policies": [policy]},
            lambda c, schema: groups.revoke_from_group(c, schema, name, policy, source),
        )
        self.reply_nothing()


class ClientsHandler(AdministrationHandler):
    """``/authz/client``: the clients."""

    actions: ClassVar = {"POST": "create_client", "DELETE": "delete_client"}

    async def get(self) -> None:
        self.reply_page("clients", *await self.read(groups.list_clients, self.page()))

    async def post(self) -> None:
        (client, listed), source = forms.client(self.json()), self.source
        await self.alter(
            [client], {"policies": listed}, lambda c, schema: groups.create_client(c, schema, client, listed, source)
        )
        self.reply({"created": await self.read(groups.read_client, client)}, 201)


class ClientHandler(AdministrationHandler):
    """``/authz/client/<id>``: one client."""

    actions: ClassVar = ClientsHandler.actions

    async def get(self, client: str) -> None:
        self.reply(await self.read(groups.read_client, client))

    async def delete(self, client: str) -> None:
        source = self.source
        await self.alter([client], {}, lambda c, schema: groups.delete_client(c, schema, client, source))
        self.reply_nothing()


class ClientPoliciesHandler(AdministrationHandler):
    """``/authz/client/<id>/policy`` and ``…/policy/<policy>``: what a client is given."""

    actions: ClassVar = _GRANTS

    async def post(self, client: str, policy: str = "") -> None:
        if policy:
            raise BadRequest("A policy is given by POST /authz/client/<id>/policy.")
        grant, source = _one_grant(self), self.source
        await self.alter(
            [client],
            {"kind": "client", "policies": [grant.name]},
            lambda c, schema: groups.grant_to_client(c, schema, client, grant, source),
        )
        self.reply_nothing()

    async def delete(self, client: str, policy: str = "") -> None:
        source = self.source
        await self.alter(
            [client],
            {"kind": "client", "policies": [policy] if policy else "all"},
            lambda c, schema: groups.revoke_from_client(c, schema, client, policy or None, source),
        )
        self.reply_nothing()


def _one_grant(handler: AdministrationHandler) -> forms.Grant:
    [grant] = forms.grants(handler.json_object())
    return grant
