"""``commonshub up``: from a data folder to a commons that answers, and back to nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from shlex import quote

from commonshub.core.errors import CommonsError
from commonshub.core.files import write_whole
from commonshub.core.signin import SignInSettings

from . import graphiql, passwords, proxy
from .configuration import load
from .embedded import Embedded
from .files import read_json
from .folder import DataFolder
from .processes import Handle, command_line
from .supervisor import Supervisor, answers, tail

ADMIN = "admin"
# The loader takes seconds, on a slow machine minutes; its key must not outlive it by much.
DEMO_KEY_S = 3600
Say = Callable[[str], None]


def up(folder: DataFolder, port: int, *, empty: bool, say: Say, announce: bool = True) -> None:
    """Bring a commons up and keep it up until a signal.

    Parameters
    ----------
    announce
        Whether to say where it is and how to sign in; not where the output is a log, for it may show a password.

    Raises
    ------
    AlreadyRunning
        Another process keeps it up.
    CommonsError
        It cannot be brought up; everything that was started has been stopped again.
    """
    os.umask(0o077)
    folder.create()
    with folder.lock():
        folder.write_content()
        if os.geteuid() != 0:
            say("Local workspaces are not isolated from your own account: a notebook can do whatever you can do.")
        commons = Embedded(folder, port)
        if commons.leftovers().replace_leftovers():
            say("Stopped what an earlier run had left behind.")
        commons.check_port()
        # In a process of its own: what reads a dictionary would stay with the supervisor for good.
        run_command(folder, "commonshub.hub.cli", "dictionary", "lint", "--quiet", commons.dictionary)
        proxy.install(say)
        _install_editor(say)
        supervisor = commons.compose()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, supervisor.request_stop)
        try:
            made = _start(commons, supervisor, empty=empty, say=say)
            if announce:
                say(welcome(folder, reveal=made))
            supervisor.run()
        except KeyboardInterrupt:
            pass
        finally:
            say("Stopping …")
            supervisor.stop()
            commons.remove_sockets()
        say("Stopped.")


def _install_editor(say: Say) -> None:
    """Fetch what the query page needs; a commons without that page is a commons."""
    try:
        graphiql.install(say)
    except CommonsError as error:
        say(f"The portal has no query editor for now. {error.message}")


def _start(commons: Embedded, supervisor: Supervisor, *, empty: bool, say: Say) -> bool:
    supervisor.set_state("starting")
    first = not (commons.folder.postgres / "PG_VERSION").exists() and commons.own_database
    say("Making the database …" if first else "Starting …")
    supervisor.start(*(name for name in supervisor.watches if name != "hub"))
    say("Starting the hub and its services …")
    supervisor.start("hub")
    _wait_for_services(commons, supervisor)
    made = _make_administrator(commons)
    if not empty:
        _load_demo(commons, supervisor, say)
    supervisor.set_state("ready")
    return made


def _wait_for_services(commons: Embedded, supervisor: Supervisor) -> None:
    # Through the proxy, because the hub's own route is the last that it makes.
    waiting = {**commons.service_urls(), "hub": f"http://127.0.0.1:{commons.port}/jupyter/hub/api"}
    end = time.monotonic() + commons.settings.service_timeout_s
    while waiting:
        supervisor.step()
        if supervisor.stopping:
            raise KeyboardInterrupt
        waiting = {name: url for name, url in waiting.items() if not answers(url)}
        if waiting and time.monotonic() > end:
            name = next(iter(waiting))
            raise CommonsError(
                f"The service {name} does not answer. Its log, {supervisor.log(name)}, ends with:\n"
                + tail(supervisor.log(name), 15)
            )
        time.sleep(0.1)


def _make_administrator(commons: Embedded) -> bool:
    store = passwords.Passwords(commons.folder.secrets / "passwords.json")
    if store.accounts():
        return False
    if "auth" in commons.settings.targets(commons.ports):
        run_command(commons.folder, "commonshub.auth", "user", "add", ADMIN, "--admin")
    password = passwords.generate()
    write_whole(password_file(commons.folder), password + "\n")
    store.set(ADMIN, password, admin=True)
    return True


def _load_demo(commons: Embedded, supervisor: Supervisor, say: Say) -> None:
    done = commons.folder.hub / "demo.json"
    if done.exists():
        return
    say("Loading the demo data …")
    key = commons.folder.secrets / "demo-key.json"
    write_whole(key, run_command(commons.folder, "commonshub.auth", "key", "create", ADMIN, "--ttl", str(DEMO_KEY_S)))
    command = [sys.executable, "-P", "-m", "commonshub.hub.demo"]
    command += ["--endpoint", commons.origin, "--credentials", str(key)]
    process = subprocess.Popen(command, env=commons.environment(), start_new_session=True)
    try:
        while process.poll() is None:
            supervisor.step()
            if supervisor.stopping:
                raise KeyboardInterrupt
            time.sleep(0.1)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(10)
        key.unlink()
    if process.returncode == 0:
        write_whole(done, json.dumps({"loaded": int(time.time())}))
    else:
        say("The demo data could not be loaded; the next start tries again.")


def detach(folder: DataFolder, port: int, *, empty: bool, say: Say) -> int:
    """Bring a commons up in a process of its own; return when it is ready, with the exit status of this command."""
    folder.create()
    log = folder.logs / "up.log"
    known = password_file(folder).exists()
    command = [sys.executable, "-P", "-m", "commonshub.hub.cli", "up", "--attached", "--port", str(port)]
    command += ["--data-dir", str(folder.path), *(["--empty"] if empty else [])]
    with log.open("w") as output, log.open() as shown:
        log.chmod(0o600)
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            while True:
                ended = process.poll() is not None
                for line in shown.read().splitlines():
                    say(line)
                state = read_json(folder.state_file)
                own = (state.get("supervisor") or {}).get("pid") == process.pid
                if ended:
                    return process.returncode
                if own and state.get("state") == "ready":
                    # The process goes on without us.
                    process.returncode = 0
                    say(welcome(folder, reveal=not known))
                    return 0
                time.sleep(0.1)
        except KeyboardInterrupt:
            process.terminate()
            process.wait(60)
            return 130


def down(folder: DataFolder, say: Say) -> bool:
    """Stop a commons; False where there is nothing to stop.

    Raises
    ------
    CommonsError
        It does not stop.
    """
    supervisor = Handle.parse(read_json(folder.state_file).get("supervisor"))
    if supervisor and supervisor.alive and folder.locked:
        if "commonshub" not in command_line(supervisor.pid):
            raise CommonsError(f"Process {supervisor.pid} holds {folder.path}, but is no commons of ours.")
        supervisor.signal(signal.SIGTERM)
        end = time.monotonic() + 90
        while folder.locked:
            if time.monotonic() > end:
                raise CommonsError(f"The commons does not stop; see {folder.logs / 'up.log'}.")
            time.sleep(0.1)
        return True
    if not folder.initialised:
        return False
    with folder.lock():
        commons = Embedded(folder, 0)
        leftovers = commons.leftovers()
        found = leftovers.replace_leftovers()
        leftovers.sweep()
        commons.remove_sockets()
        if found:
            leftovers.set_state("stopped")
            say("Stopped what a killed run had left behind.")
        return found


def welcome(folder: DataFolder, *, reveal: bool = False) -> str:
    """Where the commons is and how to sign in."""
    first = password_file(folder)
    lines = [f"The commons is ready at {read_json(folder.state_file).get('url', '')}"]
    if SignInSettings(config=load(folder.path)).providers:
        lines.append("Users sign in by the providers in SignInSettings.providers, not with passwords.")
        return "\n".join(lines)
    if first.exists():
        lines.append(f"Sign in as {ADMIN} with the password {first.read_text().strip()}" if reveal else "")
        lines.append(f"The first password of {ADMIN} is kept in {first}")
    lines.append(f"New passwords and users: {own_command()} user add NAME --data-dir {quote(str(folder.path))}")
    return "\n".join(line for line in lines if line)


def own_command() -> str:
    """The ``commonshub`` command as the shell that started us can call it."""
    program = Path(sys.executable).with_name("commonshub")
    found = shutil.which("commonshub")
    if not program.exists() or (found and Path(found).samefile(program)):
        return "commonshub"
    below = program.is_relative_to(Path.cwd())
    return quote(str(program.relative_to(Path.cwd()) if below else program))


def password_file(folder: DataFolder) -> Path:
    """File with the administrator's first password; removed when a new one is set."""
    return folder.secrets / "admin-password.txt"


def run_command(folder: DataFolder, module: str, *arguments: str) -> str:
    """Output of an operator's command of a service.

    Raises
    ------
    CommonsError
        It failed; its own words are in the message.
    """
    answer = subprocess.run(
        [sys.executable, "-P", "-m", module, *arguments],
        env={**os.environ, "COMMONSHUB_DATA_DIR": str(folder.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        words = answer.stderr.strip() or answer.stdout.strip() or f"{module} failed without a word."
        # A command of ours says in one line what is wrong; anything else is a fault, shown in full.
        raise CommonsError(words if "Traceback" in words else words.splitlines()[-1])
    return answer.stdout
