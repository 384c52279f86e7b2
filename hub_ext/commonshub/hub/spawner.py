"""Workspaces as processes on this machine: one folder per user, enclosed under an account of the user's own.

Started as root, a workspace sees its own folder, the installed code (read-only) and the system; neither the commons'
secrets nor another user's files. Started by a plain user, a workspace can do whatever that user can.
"""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner
from tornado import web
from traitlets import Integer, Unicode, default

from commonshub.core.errors import ValidationFailed

from .accounts import DEFAULT_FIRST_UID, Accounts, folder_name, give, launcher
from .configuration import logged
from .folder import DataFolder
from .isolation import Account
from .profiles import choose, form, offered, read

FIRST_NOTEBOOK = "Start here.ipynb"
LOG = ".workspace.log"


class WorkspaceSpawner(LocalProcessSpawner):  # type: ignore[misc]
    """Starts ``jupyterhub-singleuser`` in the user's own folder."""

    data_dir = Unicode(help="Data folder of the commons.").tag(config=True)
    first_uid = Integer(DEFAULT_FIRST_UID, help="Lowest numeric account; see `HubSettings.first_uid`.").tag(config=True)

    @default("cmd")
    def _default_cmd(self) -> list[str]:
        return [sys.executable, "-P", "-m", "jupyterhub.singleuser"]

    @default("notebook_dir")
    def _default_notebook_dir(self) -> str:
        return str(self.home / "pd")

    @default("options_form")
    def _default_options_form(self) -> Any:
        return lambda spawner: form(spawner.profiles())

    @property
    def folder(self) -> DataFolder:
        """The data folder."""
        return DataFolder(self.data_dir)

    @property
    def home(self) -> Path:
        """The user's folder; notebooks and data are in its folder ``pd``."""
        return self.folder.workspaces / folder_name(self.user.name)

    @property
    def account(self) -> Account:
        """The account that the workspace runs under when the hub runs as root."""
        accounts = Accounts(self.folder.hub / "accounts.json", self.first_uid)
        return accounts.user(self.user.name, str(self.home))

    def profiles(self) -> list[Any]:
        """The profiles that this user may choose.

        Raises
        ------
        web.HTTPError
            ``profiles.yaml`` is faulty; the message names the line.
        """
        try:
            known = read(self.folder.path / "profiles.yaml")
        except ValidationFailed as error:
            raise web.HTTPError(500, f"The list of workspaces needs mending: {error.message}") from error
        return offered(known, (group.name for group in self.user.groups))

    def options_from_form(self, form_data: dict[str, list[str]]) -> dict[str, Any]:
        """The choice made on the hub's page."""
        chosen = form_data.get("profile", [""])[0]
        return {"profile": chosen} if chosen else {}

    def make_preexec_fn(self, name: str) -> None:
        """Nothing: the launcher gives up root, after the mounts that only root can make."""
        return

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """The account's variables."""
        return {**env, "HOME": str(self.home), "USER": self.user.name, "SHELL": "/bin/bash"}

    async def start(self) -> tuple[str, int]:
        """Start the workspace with the chosen profile.

        Raises
        ------
        web.HTTPError
            The profile is not offered to this user.
        """
        profile = choose(self.profiles(), self.user_options.get("profile"))
        if profile is None:
            raise web.HTTPError(400, "There is no such profile among those offered to you.")
        self.environment: Any = {**self.environment, **profile.environment}
        if profile.default_url:
            self.default_url = profile.default_url
        account = self.account
        prepare(self.home, account)
        wrap = launcher(account, writable=[self.home], hidden=[self.folder.path], create=[self.home / "pd"])
        # A log of the workspace's own: a process can read whatever its output goes to, and the hub's log is not for it.
        self.cmd = wrap(logged(self.home / LOG, self._default_cmd()))
        self.popen_kwargs: Any = {**self.popen_kwargs, "cwd": str(self.home)}
        address: tuple[str, int] = await super().start()
        return address


def prepare(home: Path, account: Account) -> None:
    """Make a new user's folder, with the first notebook in it; nothing where there is one.

    An existing folder is the user's: whatever is in it may be a link to somewhere else, so root changes nothing there.
    """
    if home.exists():
        return
    fresh = home.with_name(f".{home.name}.fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    place = give(give(fresh, account) / "pd", account)
    source = first_notebook()
    if source is not None:
        target = place / FIRST_NOTEBOOK
        shutil.copyfile(source, target)
        target.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(target, account.uid, account.uid)
    fresh.rename(home)


def first_notebook() -> Path | None:
    """The notebook that the server extension ships, found without importing it."""
    spec = find_spec("commonshub.server")
    if spec is None or spec.origin is None:
        return None
    return next(Path(spec.origin).parent.rglob(FIRST_NOTEBOOK), None)
