"""How a process signs what it holds, so that another one on the same machine can tell without doubt that it has died."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

_PROC = Path("/proc")
_SIGNED = re.compile(r"process (?P<id>\d+) on (?P<host>.*) \[(?P<space>\S+ \S+) (?P<start>\d+)\]")


def this_process() -> str:
    """`process <id> on <host>`; where the system tells, with what no other process ever has: ` [<boot> <namespace> <start>]`."""
    name = f"process {os.getpid()} on {socket.gethostname()}"
    space, start = _space(), _start("self")
    return name if space is None or start is None else f"{name} [{space} {start}]"


def for_people(holder: str) -> str:
    """What a process signed, without what tells it from a later one of the same id."""
    return holder.partition(" [")[0]


def is_dead(holder: str) -> bool:
    """Whether the process that signed so is no more; not where nobody can tell, as of another machine or container."""
    signed = _SIGNED.fullmatch(holder)
    # A machine that was copied while it ran has the boot of its original, and as a rule another name.
    if signed is None or signed["host"] != socket.gethostname() or signed["space"] != _space():
        return False
    try:
        os.kill(int(signed["id"]), 0)  # nothing is sent; /proc may hide the processes of others, this does not
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    start = _start(signed["id"])
    return start is not None and start != signed["start"]


def _space() -> str | None:
    """Within what a process id means one process at a time: a boot of the system, and a namespace of ids; None where unknown."""
    try:
        if (_PROC / "self").readlink().name != str(os.getpid()):
            return None  # this /proc is of another namespace
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return None


def _start(process_id: str) -> str | None:
    """When a process began, in ticks since the boot (proc_pid_stat(5), field 22); None where nobody tells."""
    try:
        return (_PROC / process_id / "stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
