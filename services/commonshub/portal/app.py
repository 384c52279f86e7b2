"""The portal: what this commons holds, sign-in, and each user's own page."""

from pathlib import Path
from typing import ClassVar

from tornado import web
from traitlets import Integer, Unicode

from commonshub.core.browser import BrowserApplication
from commonshub.core.routing import Route
from commonshub.core.running import CountingApplication

from . import handlers, session
from .gateway import Gateway
from .redirects import HOME

FOLDER = Path(__file__).parent


class PortalApp(BrowserApplication):
    """The web pages of the commons."""

    name = "portal"
    description = "The web pages of the commons: what it holds, sign-in, profile and API keys."
    prefixes: ClassVar[tuple[str, ...]] = ("/portal",)
    uses_database: ClassVar[bool] = False
    cookie_path: ClassVar[str] = HOME

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

    def routes(self) -> list[Route]:
        """Routes of the portal."""
        return [
            (r"/", web.RedirectHandler, {"url": HOME, "permanent": False}),
            (r"/portal/?", handlers.HomeHandler),
            (r"/portal/dictionary/?", handlers.DictionaryHandler),
            (r"/portal/dictionary/([A-Za-z0-9_]+)/?", handlers.NodeHandler),
            (r"/portal/query/?", handlers.QueryHandler),
            (r"/portal/profile/?", handlers.ProfileHandler),
            (r"/portal/applications/([\w.-]{1,64})/end", handlers.ApplicationHandler),
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
        self.open_sign_in(self.user_ttl_s, self.services_timeout_s)

    async def stop_service(self) -> None:
        """Close the connections to the other services."""
        self.gateway.close()
        self.sign_in.hub.close()

    def make_application(self) -> CountingApplication:
        """The common application, with templates."""
        application = super().make_application()
        application.settings |= {
            "template_path": str(FOLDER / "templates"),
            "static_path": str(FOLDER / "static"),
            "static_url_prefix": "/portal/static/",
            "static_handler_class": session.AssetHandler,
        }
        return application
