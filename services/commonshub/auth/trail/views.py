"""The trail as each route shows it: Gen3's two categories, and the whole.

Gen3's audit service keeps a table of presigned URLs and one of sign-ins, with columns of its own; here both are views
of the one table. What a row does not say is null.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from commonshub.core import audit
from commonshub.core.errors import BadRequest
from commonshub.core.grants import tables

from .questions import moment

# What Gen3 calls a caller without a token.
NOBODY = "anonymous"

Column = sa.ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class View:
    """Some rows of the trail, and what is told of each.

    Attributes
    ----------
    resource
        Who has method ``read`` of service ``audit`` there may see everybody's rows.
    """

    category: str
    resource: str
    source: sa.FromClause
    table: sa.Table
    columns: Mapping[str, Column]
    belongs: sa.ColumnElement[bool]

    def condition(self, name: str, values: Sequence[str]) -> sa.ColumnElement[bool]:
        """That the column `name` has one of `values`.

        Raises
        ------
        BadRequest
            A value cannot be one of the column, or the column cannot be asked for.
        """
        column = self.columns[name]
        if name == "username":
            # By the bare column, which has an index.
            named = self.table.c.username.in_(values)
            nobody = self.table.c.username.is_(None)
            return sa.or_(named, nobody) if NOBODY in values and self.category else named
        if name == "resource_paths":
            return sa.func.jsonb_exists_any(column, sa.cast(list(values), ARRAY(sa.Text)))
        if isinstance(column.type, JSONB):
            raise BadRequest(f"{name} cannot be filtered by.")
        if isinstance(column.type, sa.DateTime):
            return sa.func.date_trunc("second", column).in_([moment(value, name) for value in values])
        if isinstance(column.type, sa.Integer):
            return column.in_(_integers(name, values))
        return column.in_(values)


def _integers(name: str, values: Sequence[str]) -> list[int]:
    try:
        return [int(value) for value in values]
    except ValueError as error:
        raise BadRequest(f"{name} must be an integer.") from error


@lru_cache
def views(schema: str) -> Mapping[str, View]:
    """The views by category; the whole trail under the empty name."""
    table, users = audit.table(schema), tables(schema).user
    # A user who was deleted has no number any more.
    source = table.outerjoin(users, users.c.username == table.c.username)
    whole = {str(column.name): column for column in table.c}
    signed = table.c.action.in_(["download", "upload", "upload_part"])
    presigned, login = _presigned(table, users.c.id), _login(table, users.c.id)
    found = [
        View("presigned_url", "/services/audit/presigned_url", source, table, presigned, signed),
        View("login", "/services/audit/login", source, table, login, table.c.action == "login"),
        View("", "/services/audit", table, table, whole, sa.true()),
    ]
    return {view.category: view for view in found}


def _presigned(table: sa.Table, user_id: Column) -> dict[str, Column]:
    downloaded = table.c.action == "download"
    route = sa.case((downloaded, "/user/data/download/"), else_="/user/data/upload/")
    more = {"request_id": table.c.request_id, "client_id": table.c.client, "decision": table.c.decision}
    return {
        **_common(table, user_id, route.concat(table.c.subject), 200),
        "guid": table.c.subject,
        "resource_paths": table.c.detail["authz"],
        "action": sa.case((downloaded, "download"), else_="upload"),
        "protocol": _said(table, "protocol"),
        "additional_data": sa.func.jsonb_build_object(*chain.from_iterable(more.items()), type_=JSONB),
    }


def _login(table: sa.Table, user_id: Column) -> dict[str, Column]:
    return {
        # A sign-in ends with a redirect.
        **_common(table, user_id, sa.literal("/user/login"), 302),
        "idp": table.c.subject,
        **{name: _said(table, name) for name in ("fence_idp", "upstream_idp", "shib_idp")},
        "client_id": table.c.client,
        "ip": _said(table, "ip"),
    }


def _common(table: sa.Table, user_id: Column, path: Column, success: int) -> dict[str, Column]:
    done = sa.case((table.c.decision == "allowed", success))
    status = sa.cast(_said(table, "status"), sa.Integer)
    return {
        "request_url": sa.func.coalesce(_said(table, "path"), path),
        "status_code": sa.func.coalesce(status, done, type_=sa.Integer),
        "timestamp": table.c.at,
        "username": sa.func.coalesce(table.c.username, NOBODY),
        "sub": user_id,
    }


def _said(table: sa.Table, name: str) -> Column:
    text: Column = table.c.detail[name].astext
    return text
