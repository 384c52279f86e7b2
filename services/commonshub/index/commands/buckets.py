"""``commonshub index bucket add|list|remove``: buckets beside those of the configuration, without a restart."""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import sqlalchemy as sa

from commonshub.core import buckets
from commonshub.core.buckets import Bucket
from commonshub.core.errors import BadRequest, NotFound, Unavailable
from commonshub.core.identity import ANONYMOUS

from ..app import IndexApp
from ..registration import Author, Registration

# The operator is nobody whom a token names.
OPERATOR = Author(ANONYMOUS, "cli")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The commands and their options."""
    commands = command.add_subparsers(metavar="COMMAND", required=True)
    add = commands.add_parser("add", description="Register a bucket, or change what is registered of it.")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--endpoint-url", metavar="URL", help="S3 endpoint; empty for AWS (default: the commons' own)")
    add.add_argument("--region", metavar="REGION")
    add.add_argument("--credentials-file", metavar="FILE", help="JSON with access_key and secret_key; not copied")
    add.add_argument("--public", action="store_true", help="everybody can read it, so its URLs are not signed")
    add.add_argument(
        "--resource",
        action="append",
        default=[],
        metavar="[FOLDER=]PATH",
        help="records of this resource path may point into the bucket, or into this folder of it; * for all records",
    )
    add.add_argument("--unchecked", action="store_true", help="register it even if it does not answer")
    add.set_defaults(run=_add)
    listing = commands.add_parser("list", description="Show the registered buckets.")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(run=_list)
    remove = commands.add_parser("remove", description="Forget a bucket; what lies in it stays.")
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--force", action="store_true", help="even if records point into it, or uploads are under way")
    remove.set_defaults(run=_remove)


def _add(app: IndexApp, arguments: argparse.Namespace) -> int:
    bucket = _bucket(arguments)

    async def register(registration: Registration) -> None:
        probe = not arguments.unchecked
        try:
            seen = await registration.read(bucket.name)
        except NotFound:
            await registration.add(OPERATOR, bucket, probe=probe)
        else:
            await registration.change(OPERATOR, seen, bucket, probe=probe)

    _run(app, register)
    print(f"The bucket {bucket.name} is registered.")
    return 0


def _run(app: IndexApp, work: Callable[[Registration], Awaitable[None]]) -> None:
    schema = app.database.settings.auth_schema
    if not app.database.call(lambda connection: sa.inspect(connection).has_table("audit", schema=schema)):
        raise Unavailable("There is no audit trail yet: start the commons, or its auth service, once before.")
    registration = Registration(app.database, app.storage_settings, app.kept_credentials)

    async def run() -> None:
        await work(registration)

    try:
        asyncio.run(run())
    finally:
        registration.close()


def _bucket(arguments: argparse.Namespace) -> Bucket:
    store = {"endpoint_url": arguments.endpoint_url, "region": arguments.region}
    store = {name: value for name, value in store.items() if value is not None}
    if arguments.credentials_file:
        file = Path(arguments.credentials_file).absolute()
        if not file.is_file():
            raise BadRequest(f"There is no file {file}.")
        store["credentials_file"] = str(file)
    if arguments.public:
        store["public"] = True
    resources: dict[str, list[str]] = {}
    for each in arguments.resource:
        folder, _, path = each.rpartition("=")
        prefix = f"s3://{arguments.name}/{folder.strip('/')}".rstrip("/")
        resources.setdefault(prefix, []).append(path)
    return Bucket(arguments.name, store, resources)


def _list(app: IndexApp, arguments: argparse.Namespace) -> int:
    for bucket in app.database.call(buckets.read, app.schema):
        if arguments.json:
            print(json.dumps(bucket._asdict()))
        else:
            ties = [f"{prefix}={path}" for prefix, paths in bucket.resources.items() for path in paths]
            print("\t".join((bucket.name, bucket.store.get("endpoint_url") or "-", " ".join(ties) or "-")))
    return 0


def _remove(app: IndexApp, arguments: argparse.Namespace) -> int:
    _run(app, lambda registration: registration.remove(OPERATOR, arguments.name, force=arguments.force))
    print(f"The bucket {arguments.name} is registered no more.")
    return 0
