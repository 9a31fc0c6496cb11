"""A root as a machine of its own: its systemd runs as the first process of namespaces, without a network but its loopback interface."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.packaging.debian.roots import Root, plain_environment

_BOOT = 60
_LONGEST = 900

# The machine's processes have a control group of their own, or its systemd would take that of all others. Of the kernel it may change
# nothing: /proc/sys and /sys are read-only. Its mounts are shared among its own services, as systemd would have them on a real machine, or
# it could hand out no credentials.
_BOOT_IT = """
root=$1
mkdir -p /run/sesmail-cgroup
mount -t cgroup2 cgroup2 /run/sesmail-cgroup
mkdir "/run/sesmail-cgroup/$GROUP"
echo $$ >"/run/sesmail-cgroup/$GROUP/cgroup.procs"
exec unshare --cgroup --pid --net --uts --ipc --fork --kill-child sh -euc '
root=$1
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,ro,bind "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
    set -- $node
    mknod -m 666 "$root/dev/$1" c "$2" "$3"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root/outside"
cd "$root"
pivot_root . outside
umount -l /outside
mount --make-rshared /
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /sbin/init --log-target=journal --show-status=0
' sh "$root"
"""


class Machine:
    """A root whose systemd runs. Commands are run in it as its root."""

    def __init__(self, fresh: Root, init: int) -> None:
        self.root = fresh
        self._init = init

    def run(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> None:
        """Raises CalledProcessError if it fails, TimeoutExpired after 15 minutes."""
        subprocess.run(self._entering(command), env=plain_environment(environment), check=True, timeout=_LONGEST)

    def said(self, command: Sequence[str], *, check: bool = False) -> str:
        """What it printed. Raises CalledProcessError if it fails and that is to be checked."""
        entering = self._entering(command)
        return subprocess.run(
            entering, env=plain_environment(None), check=check, timeout=_LONGEST, capture_output=True, text=True
        ).stdout

    def _entering(self, command: Sequence[str]) -> list[str]:
        spaces = ["--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--root", "--wd"]
        return ["nsenter", "--target", str(self._init), *spaces, *command]


@contextmanager
def booted(fresh: Root) -> Iterator[Machine]:
    """The root while its systemd runs; it needs the package systemd-sysv. Raises RuntimeError if it is not up within a minute."""
    group = f"sesmail-{fresh.folder.name}"
    environment = {**plain_environment(None), "GROUP": group}
    # Also when nobody is left to end it.
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-euc", _BOOT_IT, "sh", str(fresh.folder)]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    try:
        machine = Machine(fresh, _first_child(process))
        _wait_until_up(machine, process)
        yield machine
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        _remove(group)


def _first_child(process: subprocess.Popen[bytes]) -> int:
    """The machine's first process, which the last unshare has started."""
    for _ in range(_BOOT * 10):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if process.poll() is None and children and Path(f"/proc/{children[0]}/comm").read_text() == "systemd\n":
            return int(children[0])
        time.sleep(0.1)
    raise RuntimeError("systemd does not start")


def _wait_until_up(machine: Machine, process: subprocess.Popen[bytes]) -> None:
    state = ""
    for _ in range(_BOOT * 5):
        state = machine.said(["systemctl", "is-system-running"]).strip()
        if state in ("running", "degraded"):
            return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise RuntimeError(f"systemd is not up: {state}")


def _remove(group: str) -> None:
    """Its control groups, when the last of its processes is gone."""
    script = (
        'mkdir -p /run/sesmail-cgroup && mount -t cgroup2 cgroup2 /run/sesmail-cgroup && cd "/run/sesmail-cgroup/$1" && '
        'for try in 1 2 3 4 5 6 7 8 9 10; do find . -depth -type d -exec rmdir {} + 2>/dev/null; [ -d "../$1" ] || exit 0; sleep 0.5; done'
    )
    subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", group], check=False, stderr=subprocess.DEVNULL)
