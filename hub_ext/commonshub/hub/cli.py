"""The ``commonshub`` command."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from commonshub.core.errors import CommonsError

from . import dictionary
from .folder import DataFolder

UPSTREAM = "127.0.0.1:8000"
ACCESS_LOG = "/var/log/nginx/commons.log"

DESCRIPTION = """\
Run a data commons that is a JupyterHub.

All state is in one data folder: --data-dir, or the environment variable COMMONSHUB_DATA_DIR,
or .commons in the working folder.
"""

# Commands that the auth service carries out, whether or not it runs.
AUTH_GROUPS = {
    "user": "users, their logins and what they may",
    "key": "API keys, and the keys that tokens are signed with",
    "client": "applications that users sign in to with this commons",
    "policy": "policies, and the user.yaml that they come from",
    "audit": "who was given, or refused, what",
}
# Of these, those after which a user has no login any more.
ENDING = ("deactivate", "delete")
# Commands on records of data objects that the index service carries out, whether or not it runs.
INDEX_COMMANDS = {
    "import": "create the records of a manifest",
    "export": "write all records as a manifest",
    "verify": "find records whose bytes are missing or have changed, and bytes without a record",
    "bucket": "buckets beside those of the configuration",
    "convert": "take over the records of an older indexd",
}
# Commands on the data dictionary that the submission service carries out, whether or not it runs.
DICTIONARY_COMMANDS = {
    "preview": "say what another dictionary would change, and which records would no longer be valid",
    "apply": "let another dictionary be in force, with no restart",
    "versions": "list the dictionaries that have been in force",
}

# Commands on graph queries that the query service carries out, whether or not it runs.
QUERY_COMMANDS = {"index": "indexes that make ranges and orders of one property fast"}
# Commands on the explorer's index that the explore service carries out, whether or not it runs.
ETL_COMMANDS = {
    "run": "build it now, if anything changed",
    "status": "show when and how it was last built",
    "rollback": "let an earlier build answer again",
    "explain": "check the mapping, and say where each field of the documents comes from",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    options = parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except CommonsError as error:
        print(error.message, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def common_options() -> argparse.ArgumentParser:
    """What every command takes."""
    common = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    common.add_argument("--data-dir", metavar="FOLDER", help="folder with all state of the commons")
    return common


def parser() -> argparse.ArgumentParser:
    """The command line."""
    common = common_options()
    root = argparse.ArgumentParser(
        "commonshub", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, parents=[common], help=text, description=text[0].upper() + text[1:] + ".")
        added.set_defaults(run=run)
        return added

    up = add("up", _up, "start the commons and keep it running; Ctrl-C stops it")
    up.add_argument("--port", type=_port, default=8000, help="port on 127.0.0.1 (default: 8000)")
    up.add_argument("--empty", action="store_true", help="do not load the demo data")
    up.add_argument("--detach", action="store_true", help="return when it is ready, and leave it running")
    up.add_argument("--attached", action="store_true", help=argparse.SUPPRESS)
    add("down", _down, "stop the commons and everything it started")
    status = add("status", _status, "show each part with its state, process and URL")
    status.add_argument("--json", action="store_true", help="as JSON")
    logs = add("logs", _logs, "show the end of the logs")
    logs.add_argument("part", nargs="?", metavar="PART", help="hub, postgres, auth, index, …; all by default")
    logs.add_argument("-f", "--follow", action="store_true", help="go on showing new lines")
    add("init", _init, "make the data folder with a commented configuration and the files to edit")
    nginx = add("nginx-config", _nginx_config, "print the configuration of an nginx in front of the commons")
    nginx.add_argument("--server-name", required=True, metavar="NAME", help="host name that browsers use")
    nginx.add_argument(
        "--upstream", default=UPSTREAM, metavar="HOST:PORT", help=f"the commons' own proxy (default: {UPSTREAM})"
    )
    nginx.add_argument("--listen", default="", metavar="[ADDRESS:]PORT", help="default: 443 with TLS, else 80")
    nginx.add_argument("--certificate", default="", metavar="FILE", help="certificate chain, for TLS")
    nginx.add_argument("--key", default="", metavar="FILE", help="its private key")
    nginx.add_argument("--access-log", default=ACCESS_LOG, metavar="FILE", help=f"default: {ACCESS_LOG}")
    _add_groups(commands, common)
    return root


def _add_groups(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser
) -> None:
    for name, text in AUTH_GROUPS.items():
        # The auth service reads what follows: nothing here is an option.
        group = commands.add_parser(name, help=text, add_help=False, prefix_chars="\0")
        group.add_argument("words", nargs="*")
        group.set_defaults(run=_auth, group=name)
    index = commands.add_parser("index", help="records of data objects").add_subparsers(
        metavar="COMMAND", required=True
    )
    for name, text in INDEX_COMMANDS.items():
        # The index service reads what follows.
        each = index.add_parser(name, help=text, add_help=False, prefix_chars="\0")
        each.add_argument("words", nargs="*")
        each.set_defaults(run=_index, command=name)
    of_dictionary = commands.add_parser("dictionary", help="the data dictionary").add_subparsers(
        metavar="COMMAND", required=True
    )
    dictionary.add_commands(of_dictionary, common, _configured_dictionary)
    for name, text in DICTIONARY_COMMANDS.items():
        # The submission service reads what follows.
        each = of_dictionary.add_parser(name, help=text, add_help=False, prefix_chars="\0")
        each.add_argument("words", nargs="*")
        each.set_defaults(run=_dictionary, command=name)
    query = commands.add_parser("query", help="graph queries").add_subparsers(metavar="COMMAND", required=True)
    for name, text in QUERY_COMMANDS.items():
        # The query service reads what follows.
        each = query.add_parser(name, help=text, add_help=False, prefix_chars="\0")
        each.add_argument("words", nargs="*")
        each.set_defaults(run=_query, command=name)
    etl = commands.add_parser("etl", help="the explorer's index").add_subparsers(metavar="COMMAND", required=True)
    for name, text in ETL_COMMANDS.items():
        # The explore service reads what follows.
        each = etl.add_parser(name, help=text, add_help=False, prefix_chars="\0")
        each.add_argument("words", nargs="*")
        each.set_defaults(run=_etl, command=name)


def _folder(options: argparse.Namespace) -> DataFolder:
    return DataFolder(options.data_dir or os.environ.get("COMMONSHUB_DATA_DIR") or Path.cwd() / ".commons")


def _existing(options: argparse.Namespace) -> DataFolder:
    folder = _folder(options)
    if not folder.initialised:
        raise CommonsError(f"There is no commons in {folder.path}. Start one with `commonshub up`.")
    return folder


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 0 < number < 65536:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return number


def _say(line: str) -> None:
    print(line, flush=True)


def _up(options: argparse.Namespace) -> int:
    from . import up

    folder = _folder(options)
    if options.detach:
        return up.detach(folder, options.port, empty=options.empty, say=_say)
    up.up(folder, options.port, empty=options.empty, say=_say, announce=not options.attached)
    return 0


def _down(options: argparse.Namespace) -> int:
    from .up import down

    _say("Stopped." if down(_folder(options), _say) else "Nothing was running.")
    return 0


def _status(options: argparse.Namespace) -> int:
    from .status import status, table

    document = status(_folder(options))
    _say(json.dumps(document, indent=1) if options.json else table(document))
    return 0


def _logs(options: argparse.Namespace) -> int:
    from .status import follow

    folder = _existing(options)
    if options.part and not (folder.logs / f"{Path(options.part).name}.log").exists():
        known = ", ".join(sorted(path.stem for path in folder.logs.glob("*.log")))
        raise CommonsError(f"There is no log of {options.part!r}; there are: {known}.")
    for line in follow(folder, options.part, forever=options.follow):
        _say(line)
    return 0


def _nginx_config(options: argparse.Namespace) -> int:
    from .configuration import load
    from .nginx import Front, advice, configuration

    folder = _existing(options)
    front = Front(
        options.server_name, options.upstream, options.listen, options.certificate, options.key, options.access_log
    )
    config = load(folder.path)
    _say(configuration(front, config))
    for line in advice(front, config):
        print(line, file=sys.stderr)
    return 0


def _init(options: argparse.Namespace) -> int:
    folder = _folder(options)
    folder.create()
    written = folder.write_content()
    for path in written:
        _say(f"Wrote {path}")
    _say(f"Start the commons with: commonshub up --data-dir '{folder.path}'")
    return 0


def _auth(options: argparse.Namespace) -> int:
    """Let the auth service's own command do it; a new user also gets a login here."""
    given, words = common_options().parse_known_args(options.words)
    if words[:1] == ["add"] and options.group == "user":
        return _user_add(user_add_parser().parse_args(words[1:], given))
    folder = _existing(given) if {"-h", "--help"}.isdisjoint(words) else _folder(given)
    status = _pass_on(folder, "commonshub.auth", options.group, *words)
    if status == 0 and options.group == "user" and words[0] in ENDING and folder.initialised:
        _end_login(folder, next((word for word in words[1:] if not word.startswith("-")), ""))
    return status


def _end_login(folder: DataFolder, name: str) -> None:
    """A user who is switched off, or gone, cannot sign in to the hub either; `user add` gives a new login."""
    from .passwords import Passwords

    Passwords(folder.secrets / "passwords.json").remove(name.lower())


def user_add_parser() -> argparse.ArgumentParser:
    """The options of ``commonshub user add``, which does more than the auth service's command of that name."""
    add = argparse.ArgumentParser(
        "commonshub user add",
        parents=[common_options()],
        description="Make a user with a login, or give a login a new password, and print it.",
        epilog="example: commonshub user add alice --email alice@example.org",
    )
    add.add_argument("name", metavar="NAME")
    add.add_argument("--admin", action="store_true", help="may do everything in this commons")
    add.add_argument("--email")
    return add


def _user_add(options: argparse.Namespace) -> int:
    from .passwords import Passwords, check_name, generate
    from .up import ADMIN, password_file, run_command

    folder = _existing(options)
    check_name(options.name)
    more = [*(["--admin"] if options.admin else []), *(["--email", options.email] if options.email else [])]
    run_command(folder, "commonshub.auth", "user", "add", options.name, *more)
    store = Passwords(folder.secrets / "passwords.json")
    known = store.accounts().get(options.name)
    password = generate()
    store.set(options.name, password, admin=options.admin or bool(known and known["admin"]))
    if options.name == ADMIN:
        password_file(folder).unlink(missing_ok=True)
    _say(f"user: {options.name}\npassword: {password}")
    return 0


def _etl(options: argparse.Namespace) -> int:
    return _pass_on_words(options, "commonshub.explore", "etl")


def _index(options: argparse.Namespace) -> int:
    return _pass_on_words(options, "commonshub.index")


def _configured_dictionary(options: argparse.Namespace) -> str:
    from commonshub.core.settings import Commons

    from .configuration import load

    # A folder that has only been made, by `init`, has one already.
    return Commons(config=load(_folder(options).path)).dictionary


def _dictionary(options: argparse.Namespace) -> int:
    return _pass_on_words(options, "commonshub.submission")


def _query(options: argparse.Namespace) -> int:
    return _pass_on_words(options, "commonshub.query")


def _pass_on_words(options: argparse.Namespace, module: str, *before: str) -> int:
    given, words = common_options().parse_known_args(options.words)
    folder = _existing(given) if {"-h", "--help"}.isdisjoint(words) else _folder(given)
    return _pass_on(folder, module, *before, options.command, *words)


def _pass_on(folder: DataFolder, module: str, *arguments: str) -> int:
    environment = {**os.environ, "COMMONSHUB_DATA_DIR": str(folder.path)}
    command = [sys.executable, "-P", "-m", module, *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
