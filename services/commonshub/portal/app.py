"""The portal: what this commons holds, sign-in, and each user's own page."""

import os
from pathlib import Path
from typing import ClassVar

from tornado import web
from traitlets import Integer, Unicode, default

from commonshub.core.app import Route, ServiceApplication
from commonshub.core.browser import SignIn
from commonshub.core.hub import Hub, Registration

from . import handlers, session
from .gateway import Gateway
from .redirects import HOME

FOLDER = Path(__file__).parent


class PortalApp(ServiceApplication):
    """The web pages of the commons."""

    name = "portal"
    description = "The web pages of the commons: what it holds, sign-in, profile and API keys."
    prefixes: ClassVar[tuple[str, ...]] = ("/portal",)
    uses_database: ClassVar[bool] = False

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

    hub_client_id = Unicode(help="OAuth client id of the portal at the hub.").tag(config=True)

    hub_service_name = Unicode(help="Name of the portal among the hub's services.").tag(config=True)

    hub_api_token = Unicode(help="Token of the portal at the hub, which is its OAuth secret too.").tag(config=True)

    cookie_secret_file = Unicode(
        help="File (mode 0600) with the secret that signs the portal's cookies; made when missing."
    ).tag(config=True)

    @default("hub_client_id")
    def _default_hub_client_id(self) -> str:
        return os.environ.get("JUPYTERHUB_CLIENT_ID") or f"service-{self.hub_service_name}"

    @default("hub_service_name")
    def _default_hub_service_name(self) -> str:
        return os.environ.get("JUPYTERHUB_SERVICE_NAME") or "portal"

    @default("hub_api_token")
    def _default_hub_api_token(self) -> str:
        return os.environ.get("JUPYTERHUB_API_TOKEN", "")

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
            (r"/portal/login/?", session.LoginHandler),
            (r"/portal/oauth_callback/?", session.CallbackHandler),
            (r"/portal/logout/?", session.LogoutHandler),
            (r"/portal/token/?", session.TokenHandler),
            (r"/portal/static/(.*)", session.AssetHandler, {"path": str(FOLDER / "static")}),
            (r"/portal/.*", handlers.MissingPageHandler),
        ]

    async def start_service(self) -> None:
        """Get ready to sign visitors in and to ask the other services."""
        self.gateway = Gateway(self.services_url or self.commons.origin, self.services_timeout_s, self.dictionary_ttl_s)
        registration = Registration(
            self.hub_client_id, self.hub_api_token, self.hub_service_name, f"{HOME}oauth_callback"
        )
        self.hub = Hub(self.hub_url, self.commons.hub_api_url, registration, self.user_ttl_s, self.services_timeout_s)

    async def stop_service(self) -> None:
        """Close the connections to the other services."""
        self.gateway.close()
        self.hub.close()

    def make_application(self) -> web.Application:
        """The common application, with templates and signed cookies."""
        application = super().make_application()
        sign_in = SignIn(self.hub, session.SESSION_COOKIE, HOME, self.commons.secure)
        application.settings |= {
            "template_path": str(FOLDER / "templates"),
            "static_path": str(FOLDER / "static"),
            "static_url_prefix": "/portal/static/",
            "static_handler_class": session.AssetHandler,
            **sign_in.settings(Path(self.cookie_secret_file)),
        }
        return application
