"""HTTP: who somebody is."""

from commonshub.core.errors import AuthenticationRequired

from ..handlers import AuthHandler
from . import store, userinfo


class UserHandler(AuthHandler):
    """``/user/user``: who the caller is and what he may do."""

    async def get(self) -> None:
        name = self.require_user()
        user = await self.auth.database.run(store.find_user, self.auth.schema, name)
        if user is None:
            raise AuthenticationRequired("Authentication Error: this user does not exist any more.")
        self.reply(userinfo.document(user, self.auth.policy, self.identity))

    post = get
