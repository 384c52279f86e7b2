"""What the hub asks the auth service about the browsers that signed in there."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

import orjson
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

from commonshub.core.errors import Unavailable
from commonshub.core.signin import ASSERTION_HEADER, COOKIE

from .assertion import Refused


class SignIns:
    """The sign-ins that the auth service keeps.

    Parameters
    ----------
    origin
        ``scheme://host:port`` of the auth service itself, behind the proxy.
    timeout_s
        Time that it gets for an answer, in seconds.
    """

    def __init__(self, origin: str, timeout_s: float) -> None:
        self.origin = origin.rstrip("/")
        self.timeout_s = timeout_s

    async def assertion(self, cookie_headers: Iterable[str]) -> str:
        """What the auth service says of the browser that sent these cookies.

        Raises
        ------
        Refused
            Nobody is signed in with it.
        Unavailable
            The auth service does not answer.
        """
        pairs = [pair.strip() for line in cookie_headers for pair in line.split(";")]
        own = [pair for pair in pairs if pair.partition("=")[0].strip() == COOKIE]
        if not own:
            raise Refused("nobody is signed in with this browser")
        answer = await self._fetch("/user/login/assertion", headers={"Cookie": "; ".join(own)})
        assertions = answer.headers.get_list(ASSERTION_HEADER)
        if len(assertions) != 1:
            raise Refused("nobody is signed in with this browser any more")
        return assertions[0]

    async def end(self, assertion: str, following: str) -> str:
        """End the sign-in of an assertion.

        Parameters
        ----------
        following
            Path that the provider's logout page is to lead back to.

        Returns
        -------
        str
            Address of that page; empty where there is none.

        Raises
        ------
        Refused
            The assertion is too old: there is nothing to end, or it was ended already.
        Unavailable
            The auth service does not answer.
        """
        path = f"/user/login/end?{urlencode({'next': following})}"
        answer = await self._fetch(path, method="POST", body=b"", headers={ASSERTION_HEADER: assertion})
        return str(orjson.loads(answer.body)["logout_url"])

    async def _fetch(self, path: str, **options: Any) -> HTTPResponse:
        request = HTTPRequest(
            self.origin + path,
            connect_timeout=self.timeout_s,
            request_timeout=self.timeout_s,
            follow_redirects=False,
            **options,
        )
        try:
            return await AsyncHTTPClient().fetch(request)
        except HTTPClientError as error:
            if error.code == 401:
                raise Refused("nobody is signed in with this browser any more") from error
            raise Unavailable("The sign-in service does not answer properly just now.") from error
        except OSError as error:
            raise Unavailable("The sign-in service cannot be reached just now.") from error
