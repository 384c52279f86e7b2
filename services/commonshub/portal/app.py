"""The portal: what this commons holds, sign-in, and each user's own page."""

import secrets
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from jupyterhub.services.auth import HubOAuth
from tornado import web
from traitlets import Integer, Unicode, default

from commonshub.core.app import Route, ServiceApplication

from . import handlers
from .gateway import Gateway
from .redirects import HOME

FOLDER = Path(__file__).parent


class PortalApp(ServiceApplication):
    """The web pages of the commons."""

    name = "portal"
    description = "The web pages of the commons: what it holds, sign-in, profile and API keys."
    prefixes: ClassVar[tuple[str, ...]] = ("/portal",)
    uses_database: ClassVar[bool] = False
    classes = [*ServiceApplication.classes, HubOAuth]

    services_url = Unicode(
        help="Scheme, host and port where the portal reaches the other services; default: the origin of the commons."
    ).tag(config=True)

    services_timeout_s = Integer(10, help="Time that a service gets to answer the portal, in seconds.").tag(config=True)

    dictionary_ttl_s = Integer(
        30, help="Time for which the portal shows a dictionary before it asks for it again, in seconds."
    ).tag(config=True)

    user_ttl_s = Integer(
        60, help="Time for which the hub is not asked again whether a sign-in still holds, in seconds."
    ).tag(config=True)

    hub_url = Unicode(
        "/jupyter/hub/", help="Public address of the hub's pages, with a slash at the end; a path or a whole URL."
    ).tag(config=True)

    cookie_secret_file = Unicode(
        help="File (mode 0600) with the secret that signs the portal's cookies; made when missing."
    ).tag(config=True)

    @default("cookie_secret_file")
    def _default_cookie_secret_file(self) -> str:
        return str(self.commons.secrets / "portal-cookie")

    def routes(self) -> list[Route]:
        """Routes of the portal."""
        return [
            (r"/", web.RedirectHandler, {"url": HOME, "permanent": False}),
            (r"/portal/?", handlers.HomeHandler),
            (r"/portal/dictionary/?", handlers.DictionaryHandler),
            (r"/portal/dictionary/([A-Za-z0-9_]+)/?", handlers.NodeHandler),
            (r"/portal/profile/?", handlers.ProfileHandler),
            (r"/portal/login/?", handlers.LoginHandler),
            (r"/portal/oauth_callback/?", handlers.CallbackHandler),
            (r"/portal/logout/?", handlers.LogoutHandler),
            (r"/portal/token/?", handlers.TokenHandler),
            (r"/portal/static/(.*)", handlers.AssetHandler, {"path": str(FOLDER / "static")}),
            (r"/portal/.*", handlers.MissingPageHandler),
        ]

    async def start_service(self) -> None:
        """Get ready to sign visitors in and to ask the other services."""
        self.gateway = Gateway(self.services_url or self.commons.origin, self.services_timeout_s, self.dictionary_ttl_s)
        self.hub_auth = HubOAuth(
            parent=self,
            base_url=HOME,
            # Set always, since the environment's own default is the place of a service behind the hub's prefix.
            oauth_redirect_uri=f"{HOME}oauth_callback",
            oauth_authorization_url=f"{self.hub_url}api/oauth2/authorize",
            cache_max_age=self.user_ttl_s,
            cookie_options={"samesite": "Lax"} | ({"secure": True} if self.secure else {}),
        )

    async def stop_service(self) -> None:
        """Close the connections to the other services."""
        self.gateway.close()

    @property
    def secure(self) -> bool:
        """Whether browsers reach this commons by https only."""
        return self.commons.origin.startswith("https://")

    def make_application(self) -> web.Application:
        """The common application, with templates, signed cookies and XSRF checks."""
        application = super().make_application()
        application.settings |= {
            "template_path": str(FOLDER / "templates"),
            "static_path": str(FOLDER / "static"),
            "static_url_prefix": "/portal/static/",
            "static_handler_class": handlers.AssetHandler,
            "cookie_secret": _secret(Path(self.cookie_secret_file)),
            "xsrf_cookies": True,
            "xsrf_cookie_kwargs": {"httponly": True, "samesite": "Lax", "secure": self.secure},
        }
        return application


def _secret(file: Path) -> str:
    """The secret kept in `file`; two processes that start at once agree on one."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not file.exists():
        fresh = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(32))
        with suppress(FileExistsError):
            file.hardlink_to(fresh)
        fresh.unlink()
    return file.read_text()
