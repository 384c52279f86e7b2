"""HTTP: what this service offers, and the public keys by which its tokens are verified."""

from typing import Any

from commonshub.core.tokens import ALGORITHM

from ..handlers import AuthHandler
from .clients import GRANT_TYPES, SCOPES
from .protocol import PROMPTS

CLAIMS = ["at_hash", "aud", "auth_time", "azp", "context", "exp", "iat", "iss", "jti", "nonce", "pur", "scope", "sub"]


class PublicHandler(AuthHandler):
    """Base of what everybody may read, a page of another site too."""

    lenient = True

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Access-Control-Allow-Origin", "*")


class JwksHandler(PublicHandler):
    """``/.well-known/jwks``: the public keys."""

    def get(self) -> None:
        self.reply(self.auth.keys.jwks())


class PemHandler(PublicHandler):
    """``/user/jwt/keys``: the public keys in the older form."""

    def get(self) -> None:
        self.reply({"keys": self.auth.keys.pems()})


class DiscoveryHandler(PublicHandler):
    """``/.well-known/openid-configuration``: only what this commons really offers."""

    def get(self) -> None:
        self.reply(metadata(self.auth.commons.issuer))


def metadata(issuer: str) -> dict[str, Any]:
    """What is offered, in the words of OpenID Connect Discovery, RFC 8414 and RFC 9207."""
    ways = ["client_secret_basic", "client_secret_post", "none"]
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/.well-known/jwks",
        "authorization_endpoint": f"{issuer}/oauth2/authorize",
        "token_endpoint": f"{issuer}/oauth2/token",
        "userinfo_endpoint": f"{issuer}/user",
        "revocation_endpoint": f"{issuer}/oauth2/revoke",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ways,
        "revocation_endpoint_auth_methods_supported": ways,
        "scopes_supported": list(SCOPES),
        "prompt_values_supported": sorted(PROMPTS),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "claims_supported": CLAIMS,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
    }
