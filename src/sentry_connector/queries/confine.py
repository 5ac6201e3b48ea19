"""Landlock: Linux itself lets a process open only what it was told beforehand, whatever becomes of the process.

https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_NO_NEW_PRIVILEGES = 38
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3

_FILES = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""Version → how many kinds of access to files it knows; later ones know as many as the last."""

_WITH_NETWORK, _WITH_SCOPES = 4, 6
_TCP = 1 << 0 | 1 << 1
"""Listening, and connecting."""

_SCOPES = 1 << 0 | 1 << 1
"""Abstract sockets, and signals to others."""


def version() -> int:
    """Of Landlock; 0 where the system has none."""
    if sys.platform != "linux":
        return 0
    return max(_call(_CREATE_RULESET, None, 0, _VERSION), 0)


def confine(readable: Iterable[Path]) -> None:
    """Let this thread, and those that it begins, read below these paths, write nothing, start nothing and connect to nothing.

    Nothing is done where the system has no Landlock.

    Raises:
        OSError: the system has it, and refuses.
    """
    known = version()
    if not known:
        return
    rules = _ruleset(known)
    try:
        for path in readable:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                _allow(rules, path)
        _checked(ctypes.CDLL(None, use_errno=True).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _checked(_call(_RESTRICT_SELF, rules, 0))
    finally:
        os.close(rules)


def _ruleset(known: int) -> int:
    """All that is refused where no rule allows it."""
    files = (1 << _FILES.get(known, max(_FILES.values()))) - 1
    attributes = struct.pack("=Q", files)
    if known >= _WITH_NETWORK:
        attributes += struct.pack("=Q", _TCP)
    if known >= _WITH_SCOPES:
        attributes += struct.pack("=Q", _SCOPES)
    return _checked(_call(_CREATE_RULESET, attributes, len(attributes), 0))


def _allow(rules: int, path: Path) -> None:
    """Allow reading at a path. It stays open: a rule is about a file, and /proc makes one anew that nobody has open."""
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    access = _READ_FILE | _READ_FOLDER if path.is_dir() else _READ_FILE
    _checked(_call(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", access, opened), 0))


def _call(number: int, *arguments: object) -> int:
    return int(ctypes.CDLL(None, use_errno=True).syscall(number, *arguments))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
