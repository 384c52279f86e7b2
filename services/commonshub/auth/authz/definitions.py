"""HTTP: resources, roles and policies, in Arborist's form."""

from commonshub.core.errors import BadRequest

from . import forms, policies, resources
from .administration import AdministrationHandler

# So many members of what was changed the trail tells by name.
_TOLD = 100


class ResourcesHandler(AdministrationHandler):
    """``/authz/resource`` and ``/authz/resource/<path>``: the registered resources."""

    async def get(self, path: str = "") -> None:
        if path:
            return self.reply(await self.read(resources.get_resource, forms.clean_path(path)))
        return self.reply_page("resources", *await self.read(resources.list_resources, self.page()))

    async def post(self, path: str = "") -> None:
        tree, source, parents = self._tree(path), self.source, self.flag("p")
        made = await self.alter(
            [tree.root],
            self._told(tree),
            lambda c, schema: resources.create_resources(c, schema, tree, source, parents),
        )
        self.reply({"created": made}, 201)

    async def put(self, path: str = "") -> None:
        tree, source, parents, merge = self._tree(path), self.source, self.flag("p"), self.flag("merge")
        made = await self.alter(
            [tree.root],
            {**self._told(tree), "merge": merge},
            lambda c, schema: resources.put_resources(c, schema, tree, source, parents=parents, merge=merge),
        )
        self.reply({"created": made}, 201)

    async def delete(self, path: str = "") -> None:
        if not path:
            raise BadRequest("Say which resource to delete: /authz/resource/<path>.")
        source, path = self.source, forms.clean_path(path)
        await self.alter([path], {}, lambda c, schema: resources.delete_resource(c, schema, path, source))
        self.reply_nothing()

    def _tree(self, path: str) -> forms.Tree:
        parent = forms.clean_path(path) if path.strip("/") else ""
        return forms.tree(self.json(), parent)

    def _told(self, tree: forms.Tree) -> dict[str, object]:
        return {"resources": len(tree.described), "paths": list(tree.described)[:_TOLD]}


class RolesHandler(AdministrationHandler):
    """``/authz/role`` and ``/authz/role/<id>``."""

    async def get(self, name: str = "") -> None:
        if name:
            return self.reply(await self.read(policies.get_role, name))
        return self.reply_page("roles", *await self.read(policies.list_roles, self.page()))

    async def post(self, name: str = "") -> None:
        if name:
            raise BadRequest("A role is made by POST /authz/role, or by PUT here.")
        role, source = forms.role(self.json()), self.source
        await self.alter([role.id], self._told(role), lambda c, schema: policies.create_role(c, schema, role, source))
        self.reply({"created": await self.read(policies.get_role, role.id)}, 201)

    async def put(self, name: str = "") -> None:
        role, source = forms.role(self.json()), self.source
        if role.id != name:
            raise BadRequest(f"The role of the path is {name!r}, that of the body {role.id!r}.")
        made = await self.alter(
            [role.id], self._told(role), lambda c, schema: policies.put_role(c, schema, role, source)
        )
        document = await self.read(policies.get_role, role.id)
        self.reply({"created": document} if made else {"updated": document}, 201 if made else 200)

    async def delete(self, name: str = "") -> None:
        if not name:
            raise BadRequest("Say which role to delete: /authz/role/<id>.")
        source = self.source
        await self.alter([name], {"kind": "role"}, lambda c, schema: policies.delete_role(c, schema, name, source))
        self.reply_nothing()

    def _told(self, role: forms.Role) -> dict[str, object]:
        listed = [f"{service} {method}" for _, _, service, method in role.permissions]
        return {"kind": "role", "permissions": listed[:_TOLD]}


class PoliciesHandler(AdministrationHandler):
    """``/authz/policy`` and ``/authz/policy/<id>``."""

    async def get(self, name: str = "") -> None:
        expand = self.flag("expand")
        if name:
            return self.reply(await self.read(policies.get_policy, name, expand))
        return self.reply_page("policies", *await self.read(policies.list_policies, self.page(), expand))

    async def post(self, name: str = "") -> None:
        if name:
            raise BadRequest("A policy is made by POST /authz/policy.")
        policy, source = forms.policy(self.json()), self.source
        await self.alter(
            [policy.id], _told(policy), lambda c, schema: policies.create_policy(c, schema, policy, source)
        )
        self.reply({"created": await self.read(policies.get_policy, policy.id, False)}, 201)

    async def put(self, name: str = "") -> None:
        body = self.json_object()
        policy, source = forms.policy({**body, "id": name} if name else body), self.source
        await self.alter(
            [policy.id], _told(policy), lambda c, schema: policies.put_policies(c, schema, [policy], source)
        )
        self.reply({"updated": await self.read(policies.get_policy, policy.id, False)}, 201)

    async def delete(self, name: str = "") -> None:
        if not name:
            raise BadRequest("Say which policy to delete: /authz/policy/<id>.")
        source = self.source
        await self.alter([name], {"kind": "policy"}, lambda c, schema: policies.delete_policy(c, schema, name, source))
        self.reply_nothing()


class BulkPoliciesHandler(AdministrationHandler):
    """``/authz/bulk/policy``: replaces several policies, all or none."""

    async def put(self) -> None:
        listed, source = forms.policies(self.json()), self.source
        await self.alter(
            [policy.id for policy in listed],
            {"kind": "policy", "bulk": len(listed)},
            lambda c, schema: policies.put_policies(c, schema, listed, source),
        )
        self.reply({"updated": [_document(policy) for policy in listed]}, 201)


def _told(policy: forms.Policy) -> dict[str, object]:
    return {"kind": "policy", "roles": policy.roles[:_TOLD], "paths": policy.paths[:_TOLD]}


def _document(policy: forms.Policy) -> dict[str, object]:
    return {
        "id": policy.id,
        "description": policy.description,
        "role_ids": policy.roles,
        "resource_paths": policy.paths,
    }
