"""HTTP of the workspace token service."""

from ..handlers import AuthHandler


class ProvidersHandler(AuthHandler):
    """``/wts/external_oidc/``: other commons that tokens can be had for; none yet. Gen3's tools ask at their start."""

    lenient = True

    def get(self) -> None:
        self.reply({"providers": []})
