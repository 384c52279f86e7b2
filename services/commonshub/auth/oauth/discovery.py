"""HTTP: what this service offers, and the public keys by which its tokens are verified."""

from ..claims import SESSION_SCOPES
from ..handlers import AuthHandler


class JwksHandler(AuthHandler):
    """``/.well-known/jwks``: the public keys."""

    lenient = True

    def get(self) -> None:
        self.reply(self.auth.keys.jwks())


class PemHandler(AuthHandler):
    """``/user/jwt/keys``: the public keys in the older form."""

    lenient = True

    def get(self) -> None:
        self.reply({"keys": self.auth.keys.pems()})


class DiscoveryHandler(AuthHandler):
    """``/.well-known/openid-configuration``: only what this commons really offers."""

    lenient = True

    def get(self) -> None:
        issuer = self.auth.commons.issuer
        self.reply(
            {
                "issuer": issuer,
                "jwks_uri": f"{issuer}/.well-known/jwks",
                "userinfo_endpoint": f"{issuer}/user",
                "scopes_supported": sorted(SESSION_SCOPES),
                "claims_supported": ["aud", "azp", "context", "exp", "iat", "iss", "jti", "pur", "scope", "sub"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )
