"""Ask for the password of a browser that is signed in already.

An application may want to know that its user is at the keyboard now (OpenID's ``prompt=login`` and ``max_age``). The
hub's own sign-in page lets a browser with a session pass, so this page ends the session first. It does no more than the
hub's ``/logout`` does, which anybody can link to as well; running workspaces go on.

An authenticator that signs users in elsewhere has a page of its own at this address, which comes first.
"""

import re
from typing import Any

from jupyterhub.handlers.login import LogoutHandler
from tornado.httputil import url_concat

from commonshub.core.hub import ANEW

# What a form-encoded query is made of.
QUERY = re.compile(r"[A-Za-z0-9._~/?=&%+*-]+")


class SignInAnewHandler(LogoutHandler):  # type: ignore[misc]  # JupyterHub ships no types.
    """``/hub/sign-in-anew?next=``: end the browser's session, then the hub's sign-in page.

    ``next`` must be the hub's own page that hands sign-ins to a service; anything else is left out.
    """

    async def get(self) -> None:
        user = self.current_user
        if user is not None:
            self._backend_logout_cleanup(user.name)
            # By what the hub knows of the user still, it tells what the session had been given to end with it.
            await self.handle_logout()
            self._jupyterhub_user = None
        self.redirect(url_concat(self.settings["login_url"], leading_back(self)))


def leading_back(handler: Any) -> dict[str, str]:
    """``next`` of a request to sign in anew, for the sign-in page; nothing where it leads anywhere else."""
    target = handler.get_argument("next", "", strip=False)
    leads_back = target.startswith(f"{handler.hub.base_url}api/oauth2/authorize?") and QUERY.fullmatch(target)
    return {"next": target} if leads_back else {}


HANDLERS = [(f"/{ANEW}", SignInAnewHandler)]
