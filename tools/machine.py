"""What the tests need of the machine beside Python: found where it is, or installed from Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

POSTGRES = ("initdb", "postgres", "createdb", "pg_isready")
"""The programs of a PostgreSQL server that the tests start."""

BROWSERS = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
"""Any of them will do."""


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's programs, of the newest version where there are several; None where one is missing."""
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: _version(folder.parent.name))
    for folder in [*reversed(debian), *([Path(on_path).parent] if on_path else [])]:
        if all((folder / name).exists() for name in POSTGRES):
            return folder
    return None


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split(".") if part.isdecimal())


def browser_program() -> str | None:
    """Where Chrome or Chromium is; None where there is none."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def main() -> int:
    """Install what is missing; the exit code says whether all is there."""
    return max(
        _need("PostgreSQL", "postgresql", lambda: postgres_programs() is not None),
        _need("A browser", "chromium", lambda: browser_program() is not None),
    )


def _need(what: str, package: str, is_there: Callable[[], bool]) -> int:
    """Install a package of Debian's where something is missing and this may be done; 1 where it is missing still."""
    if is_there():
        return 0
    apt = shutil.which("apt-get")
    if apt is not None and os.geteuid() == 0:
        print(f"{what} is not installed: installing Debian's package.", file=sys.stderr)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-qq", "--no-install-recommends", package]):
            subprocess.run([apt, *command], check=True, env=quiet, stdout=subprocess.DEVNULL)
    if is_there():
        return 0
    print(f"{what} is missing, and the tests need it. Install it: apt-get install {package}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
