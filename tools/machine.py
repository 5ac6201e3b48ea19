"""What the tests need of the machine beside Python: found where it is, or installed from Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

POSTGRES = ("initdb", "postgres", "createdb", "pg_isready")
"""The programs of a PostgreSQL server that the tests start."""


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


def main() -> int:
    """Install what is missing; the exit code says whether all is there."""
    if postgres_programs() is not None:
        return 0
    apt = shutil.which("apt-get")
    if apt is not None and os.geteuid() == 0:
        print("PostgreSQL is not installed: installing Debian's package.", file=sys.stderr)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([apt, "update", "-qq"], check=True, env=quiet, stdout=subprocess.DEVNULL)
        subprocess.run(
            [apt, "install", "-qq", "--no-install-recommends", "postgresql"],
            check=True,
            env=quiet,
            stdout=subprocess.DEVNULL,
        )
    if postgres_programs() is not None:
        return 0
    print("The tests need a PostgreSQL server's programs. Install them: apt-get install postgresql", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
