"""Tokens as a client sees them."""

from typing import Any

import jwt
import requests


def bearer(token: str) -> dict[str, str]:
    """Headers of a request with `token`."""
    return {"Authorization": f"bearer {token}"}


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, whoever signed it."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


class Bearer(requests.auth.AuthBase):
    """What the SDK's own ``Gen3Auth`` does to a request once it has a token."""

    def __init__(self, endpoint: str, token: str) -> None:
        self.endpoint = endpoint
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(bearer(self.token))
        return request
