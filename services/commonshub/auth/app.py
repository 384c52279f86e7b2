"""The auth service."""

import asyncio
from pathlib import Path
from typing import ClassVar

from traitlets import Bool, Dict, Integer, Unicode, default, validate
from traitlets.utils.bunch import Bunch

from commonshub.core.browser import BrowserApplication
from commonshub.core.buckets import Buckets
from commonshub.core.database import migrate
from commonshub.core.downloads import Downloads
from commonshub.core.errors import BadRequest, TooLarge
from commonshub.core.routing import Route
from commonshub.core.signin import SignInSettings
from commonshub.core.storage import Storage
from commonshub.core.tasks import cancel
from commonshub.core.tokens import CLOCK_SKEW_S

from . import sources
from .authz import routes as authz
from .claims import Minter
from .credentials import routes as credentials
from .credentials.hub import HubTokens
from .credentials.watch import Watch
from .data import routes as data
from .data.multipart import MultipartUploads
from .keys import KeyPairs, follow
from .login import routes as login
from .login.logins import Logins
from .oauth import routes as oauth
from .trail import routes as trail
from .trail.retention import Retention
from .users import routes as users
from .wts import routes as wts
from .wts.connections import Connections
from .wts.external import parse_commons
from .wts.vault import Vault

SCRIPTS = Path(__file__).parent / "migrations"
HEAD = "0006"


class AuthApp(BrowserApplication):
    """Sign-in, tokens, policies and temporary data access."""

    name = "auth"
    description = "Sign-in, tokens, policies and temporary data access of a commons."
    prefixes: ClassVar[tuple[str, ...]] = ("/user", "/.well-known", "/authz", "/wts", "/audit")
    classes = [*BrowserApplication.classes, SignInSettings]
    cookie_path: ClassVar[str] = "/user/"

    allow_new_users = Bool(
        True, help="Make a user of this commons of everybody whom the hub lets in; otherwise only those already known."
    ).tag(config=True)

    user_file = Unicode(
        help="File with roles, policies, groups and users, imported at start when it has changed; default: `user.yaml` "
        "in the data folder."
    ).tag(config=True)

    max_user_file_bytes = Integer(16 * 2**20, help="Largest user.yaml that is read, in bytes.").tag(config=True)

    max_request_bytes = Integer(
        16 * 2**20, help="Largest request body that this service accepts, in bytes; none of its routes needs more."
    ).tag(config=True)

    max_listed = Integer(
        10_000, help="Most entries in one answer of a list of users, groups, policies…; the next ones are asked for."
    ).tag(config=True)

    hub_cache_s = Integer(
        30, help="How long the hub's word on a token counts, in seconds, at most 30: a revoked one may work that long."
    ).tag(config=True)

    hub_timeout_s = Integer(10, help="How long to wait for the hub's answer, in seconds.").tag(config=True)

    workspace_key_ttl_s = Integer(
        30 * 86400,
        min=600,
        help="Longest life of the API key that a workspace gets for its hub token, in seconds. It ends with the "
        "workspace's server at the latest.",
    ).tag(config=True)

    session_check_s = Integer(
        30,
        min=1,
        help="How often the sessions of workspaces are compared with the servers that the hub runs, and the servers of "
        "people who were switched off are stopped, in seconds.",
    ).tag(config=True)

    session_lease_s = Integer(
        86400,
        min=600,
        help="How long what a workspace was given counts without the hub confirming that its server runs, in seconds.",
    ).tag(config=True)

    task_token_types = Dict(
        value_trait=Integer(min=1),
        help="Task tokens that may be had for an API key: a map of types to the longest life of each, in seconds. "
        "Whoever asks for one needs `create` of service `fence` on `/services/fence/task-token/<type>/<seconds>`.",
    ).tag(config=True)

    external_commons = Dict(
        help="Other commons that users may connect to, so that workspaces get tokens of them: a map of short names to "
        "`base_url` (scheme, host and port), `client_id`, and perhaps `client_secret_file`, `name`, `scopes`. The "
        "address to register there is `<origin>/wts/oauth2/authorize`."
    ).tag(config=True)

    external_timeout_s = Integer(10, min=1, help="How long to wait for another commons, in seconds.").tag(config=True)

    code_ttl_s = Integer(
        120, min=10, max=600, help="Life of the code that a browser carries to an application, in seconds."
    ).tag(config=True)

    refresh_token_ttl_s = Integer(
        30 * 86400, min=60, help="How long an application may renew its tokens without asking the user, in seconds."
    ).tag(config=True)

    audit_keep_days = Integer(
        0, min=0, help="Rows of the audit trail older than this are deleted, in days; 0 to keep all."
    ).tag(config=True)

    audit_page_rows = Integer(1000, min=1, help="Most rows of the audit trail that one answer holds.").tag(config=True)

    audit_max_groups = Integer(
        10_000, min=1, help="Most groups that one answer on the audit trail holds; more is a 413."
    ).tag(config=True)

    @default("user_file")
    def _default_user_file(self) -> str:
        return str(self.commons.path / "user.yaml")

    @validate("hub_cache_s")
    def _at_most_30_s(self, proposal: Bunch) -> int:
        return min(int(proposal.value), 30)

    @property
    def max_body_bytes(self) -> int:
        """Largest request body that this service accepts."""
        return min(self.max_request_bytes, self.commons.max_body_bytes)

    @property
    def schema(self) -> str:
        """PostgreSQL schema of this service."""
        return self.database.settings.auth_schema

    @property
    def longest_token_s(self) -> int:
        """How long an access token of any kind can be in use after it was made, in seconds."""
        return int(max(self.tokens.access_token_ttl_s, *self.task_token_types.values(), 0)) + CLOCK_SKEW_S

    @property
    def longest_life_s(self) -> int:
        """How long a token of any kind, API keys among them, can be in use after it was made, in seconds.

        What is revoked for a user as a whole must be remembered that long.
        """
        return max(self.longest_token_s, self.tokens.api_key_ttl_s + CLOCK_SKEW_S)

    def routes(self) -> list[Route]:
        return [
            # The busiest first: routes are tried in turn, and there are some hundred.
            *data.ROUTES,
            *authz.ROUTES,
            *credentials.ROUTES,
            *oauth.ROUTES,
            *login.ROUTES,
            *users.ROUTES,
            *trail.ROUTES,
            *wts.ROUTES,
        ]

    def prepare_database(self) -> None:
        """Bring the tables up to date."""
        migrate(self.database.engine, self.schema, SCRIPTS, HEAD)

    def load_keys(self) -> None:
        """Read the key pairs, made where there are none, and publish the public ones."""
        self.keys = KeyPairs(self.commons.secrets / "jwt", Path(self.tokens.jwks_file))
        self.minter = Minter(self.commons.issuer, self.tokens.audience)

    async def start_service(self) -> None:
        await asyncio.to_thread(self.prepare_database)
        await asyncio.to_thread(self.load_keys)
        self.logins = Logins(self, SignInSettings(parent=self))
        self.open_sign_in(self.hub_cache_s, self.hub_timeout_s)
        self.hub = HubTokens(self.sign_in.hub.api, self.hub_service_name, self.hub_cache_s, self.hub_api_token)
        self.connections = Connections(
            self.database,
            self.schema,
            Vault(self.commons.secrets / "wts-keys"),
            parse_commons(self.external_commons),
            f"{self.commons.origin}/wts/oauth2/authorize",
            self.external_timeout_s,
        )
        self.buckets = Buckets(self.database, self.storage_settings)
        await self.buckets.start()
        self.downloads = Downloads(self.database, Storage(self.storage_settings), self.commons.guid_prefix)
        self.uploads = MultipartUploads(self.downloads)
        await self._import_user_file()
        await self.grants.reload()
        self.watch = Watch(self)
        self._tasks = [asyncio.create_task(task) for task in (follow(self.keys), self.watch.run())]
        self.retention = Retention(self.database, self.schema, self.audit_keep_days)
        self.retention.start()

    async def stop_service(self) -> None:
        await cancel(*self._tasks)
        await self.retention.stop()
        await self.buckets.stop()
        self.uploads.close()
        self.logins.close()
        self.connections.close()
        self.sign_in.hub.close()

    async def _import_user_file(self) -> None:
        """Import user.yaml where it has changed; a faulty one changes nothing and keeps nobody out."""
        from .importing import import_file

        try:
            found = await asyncio.to_thread(import_file, self, Path(self.user_file), sources.USER_FILE)
        except (BadRequest, TooLarge) as error:
            self.log.error("%s was not imported; the earlier policies stay in force. %s", self.user_file, error)
        else:
            for line in found.warnings:
                self.log.warning("%s: %s", self.user_file, line)
