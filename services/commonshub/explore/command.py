"""Operator commands: ``python -P -m commonshub.explore etl run|status|rollback|explain``."""

import json
import re
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Integer
from traitlets.config import Application, Config, catch_config_error

from commonshub.core.app import ServiceApplication
from commonshub.core.database import migrate
from commonshub.core.errors import CommonsError, Conflict, NotFound, ValidationFailed
from commonshub.core.storage import Storage

from . import store
from .settings import ExploreSettings
from .shrinkage import Shrunk
from .status import compared, ended, lines

if TYPE_CHECKING:
    from .etl import Etl

EXIT_FAULT = 1
EXIT_DATA = 65
EXIT_SHRUNK = 66
EXIT_BUSY = 75
_EXITS = {Conflict: EXIT_BUSY, ValidationFailed: EXIT_DATA, NotFound: EXIT_DATA, Shrunk: EXIT_SHRUNK}


class EtlApp(ServiceApplication):
    """Build the explorer's index, go back to an earlier one, or tell how the builds went and what they make."""

    name = "commonshub-etl"
    description = (
        "etl run: build the explorer's index if anything changed. etl status: the newest runs. "
        "etl rollback [RUN]: let an earlier run answer again. etl explain: check the mapping, and say what it makes."
    )
    classes = [*ServiceApplication.classes, ExploreSettings]
    force = Bool(False, help="Build all of it, even if nothing changed.").tag(config=True)
    accept_fewer = Bool(
        False, help="Take a new index however few documents it has (ExploreSettings.most_shrinkage)."
    ).tag(config=True)
    json = Bool(False, help="Answer in JSON.").tag(config=True)
    quiet = Bool(False, help="Show no progress.").tag(config=True)
    settings_stdin = Bool(
        False, help="Read settings as JSON from standard input; how the service passes on its own."
    ).tag(config=True)
    shown_runs = Integer(10, help="Runs that status shows.").tag(config=True)

    aliases = {**ServiceApplication.aliases, "runs": "EtlApp.shown_runs"}
    flags = {
        "force": ({"EtlApp": {"force": True}}, force.help),
        "accept-fewer": ({"EtlApp": {"accept_fewer": True}}, accept_fewer.help),
        "json": ({"EtlApp": {"json": True}}, json.help),
        "quiet": ({"EtlApp": {"quiet": True}}, quiet.help),
        "settings-stdin": ({"EtlApp": {"settings_stdin": True}}, settings_stdin.help),
    }

    @catch_config_error
    def initialize(self, argv: Any = None) -> None:
        """Read command line, files and standard input."""
        Application.initialize(self, argv)
        if self.settings_stdin:
            self.update_config(Config(json.load(sys.stdin)))
            self.cli_config.merge(self.config)
        self.load_settings()

    def start(self) -> None:
        """Run the command and exit."""
        Application.start(self)
        commands = {
            "run": self._run_etl, "status": self._show_status, "rollback": self._roll_back, "explain": self._explain,
        }  # fmt: skip
        name, *words = self.extra_args or [""]
        if name not in commands or len(words) > (name == "rollback"):
            sys.exit("Say `etl run`, `etl status`, `etl rollback [RUN]` or `etl explain`; --help tells more.")
        try:
            commands[name]()
        except CommonsError as error:
            print(error.message, file=sys.stderr)
            sys.exit(_EXITS.get(type(error), EXIT_FAULT))
        finally:
            self.database.close()

    def _etl(self) -> "Etl":
        from .etl import Etl, show

        progress = show(lambda line: None if self.quiet else print(line, file=sys.stderr))
        return Etl(
            self.database, self.commons, ExploreSettings(parent=self), progress, Storage(self.storage_settings)
        )  # fmt: skip

    def _run_etl(self) -> None:
        outcome = self._etl().run(force=self.force, accept_fewer=self.accept_fewer)
        for warning in outcome.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        if self.json:
            print(json.dumps(asdict(outcome)))
        elif outcome.run is None:
            print("Nothing changed since the newest run.")
        else:
            print(f"Run {outcome.run} is active: {compared(outcome.counts, outcome.before)}.")

    def _roll_back(self) -> None:
        word = next(iter(self.extra_args[1:]), None)
        if word is not None and not re.fullmatch("[0-9]{1,18}", word):
            raise ValidationFailed(f"{word!r} is not the number of a run; `commonshub etl status` shows them.")
        run = self._etl().roll_back(int(word) if word else None)
        print(json.dumps({"run": run}) if self.json else f"Run {run} is active, until anything changes.")

    def _explain(self) -> None:
        from .explain import as_data, explain

        plan = self._etl().plan()
        for warning in plan.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        print(json.dumps(as_data(plan)) if self.json else "\n".join(explain(plan)))

    def _show_status(self) -> None:
        schema = self.database.settings.explore_schema
        migrate(self.database.engine, schema, store.MIGRATIONS, store.HEAD)
        runs = self.database.call(store.runs, schema, self.shown_runs)
        if not self.database.call(store.locked):
            runs = [ended(run) for run in runs]
        print(json.dumps([asdict(run) for run in runs], default=str) if self.json else "\n".join(lines(runs)))
