"""Start one enclosed, unprivileged process: ``python -P -m commonshub.hub.launcher LAUNCH``, as root.

`LAUNCH` is the JSON of a :class:`~commonshub.hub.isolation.Launch`. The process gets its own view of the file system
(a private mount namespace), then gives up root for good, then becomes the command: its process id stays the same.

Where the kernel grants no mount namespace, the command still runs under its own account, provided that the account can
reach what it needs through the ordinary folders; otherwise the launch is refused with the name of the closed folder.
"""

import ctypes
import json
import os
import re
import sys
from pathlib import Path

from .isolation import Launch, closed_ancestors, plan

CLONE_NEWNS = 0x0002_0000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)


class LaunchRefused(Exception):
    """The process cannot be enclosed as asked; the message names the folder and the remedy."""


def main() -> None:
    """Carry out the launch given on the command line."""
    launch = Launch.parse(json.loads(sys.argv[1]))
    try:
        run(launch)
    except (LaunchRefused, OSError) as error:
        sys.exit(f"commonshub: cannot start {launch.command[0]}: {error}")


def run(launch: Launch) -> None:
    """Enclose this process, drop its privileges and become the command.

    Raises
    ------
    LaunchRefused
        There is no mount namespace to be had, and the account cannot reach what it needs without one.
    """
    if os.geteuid() == 0:
        try:
            _call("unshare", ctypes.c_int(CLONE_NEWNS))
        except PermissionError:
            check_reachable(launch)
        else:
            enclose(launch)
        drop_privileges(launch.uid)
    os.umask(0o077)
    for folder in launch.create:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    os.chdir(launch.home)
    os.execvp(launch.command[0], launch.command)  # noqa: S606 - becoming the command is the point


def check_reachable(launch: Launch) -> None:
    """Refuse a launch that works only with mounts.

    Raises
    ------
    LaunchRefused
        A folder on the way to a need is closed to the account.
    """
    closed = closed_ancestors([need.path for need in launch.needs], launch.uid)
    if closed:
        raise LaunchRefused(
            f"the folder {closed[0]} is closed to other accounts and this machine grants no mount namespace. "
            "Install Python and the commons outside it (for example under /opt), or start the commons as a plain user."
        )


def enclose(launch: Launch) -> None:
    """Give this process its own view of the file system."""
    # The folders made on the way to a need must be open to the account, whatever the caller's mask.
    os.umask(0o022)
    _mount("none", "/", MS_REC | MS_PRIVATE)
    sources = {need.path: os.open(need.path, os.O_PATH) for need in launch.needs}
    for step in plan(launch.needs, launch.covers):
        if step.action == "cover":
            if os.path.isdir(step.path):
                _cover(step.path, shared=step.path in ("/tmp", "/var/tmp", "/dev/shm"))  # noqa: S108
            continue
        _make_place(step.path, sources[step.path])
        _mount(f"/proc/self/fd/{sources[step.path]}", step.path, MS_BIND | MS_REC)
        if not step.writable:
            _mount("none", step.path, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)
    _name_account(launch)
    for descriptor in sources.values():
        os.close(descriptor)
    _hide_processes()


def drop_privileges(uid: int) -> None:
    """Become `uid` for good: no group, no capability, no way back through a set-uid program."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    _call("prctl", ctypes.c_int(PR_SET_NO_NEW_PRIVS), *(ctypes.c_ulong(value) for value in (1, 0, 0, 0)))


def _cover(path: str, *, shared: bool) -> None:
    options = "mode=1777,size=256m" if shared else "mode=0755,size=4m"
    _mount("tmpfs", path, MS_NOSUID | MS_NODEV, "tmpfs", options)


def _make_place(path: str, source: int) -> None:
    if os.path.exists(path):
        return
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    if os.path.isdir(f"/proc/self/fd/{source}"):
        os.mkdir(path, 0o755)
    else:
        Path(path).touch()


def _name_account(launch: Launch) -> None:
    """Let programs that look up their own user id find a name: initdb and shells insist on one."""
    name = re.sub(r"[^a-z0-9_.-]", "_", launch.name.lower())[:32] or "user"
    lines = {
        "/etc/passwd": f"{name}:x:{launch.uid}:{launch.uid}::{launch.home.replace(':', '_')}:/bin/bash\n",
        "/etc/group": f"{name}:x:{launch.uid}:\n",
    }
    for place, line in lines.items():
        if not os.path.exists(place):
            continue
        text = Path(place).read_text() + line
        _mount("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "tmpfs", "mode=0755,size=1m")  # noqa: S108
        file = Path("/dev/shm") / os.path.basename(place)  # noqa: S108
        file.write_text(text)
        file.chmod(0o644)
        _mount(str(file), place, MS_BIND)
        _call("umount2", b"/dev/shm", ctypes.c_int(2))


def _hide_processes() -> None:
    """Show only the account's own processes in /proc, where the kernel can."""
    try:
        _mount("proc", "/proc", MS_NOSUID | MS_NODEV, "proc", "hidepid=2")
    except OSError:
        return


def _mount(source: str, target: str, flags: int, kind: str = "", options: str = "") -> None:
    _call(
        "mount",
        os.fsencode(source),
        os.fsencode(target),
        os.fsencode(kind) or None,
        ctypes.c_ulong(flags),
        os.fsencode(options) or None,
        subject=target,
    )


def _call(function: str, *arguments: object, subject: str = "") -> None:
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}", subject or None)


if __name__ == "__main__":
    main()
