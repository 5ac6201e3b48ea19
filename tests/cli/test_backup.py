"""A store that was saved while it was in use, and put back beside tables that went on without it."""

from __future__ import annotations

import base64
import os
import shutil
import stat
import subprocess
from pathlib import Path

from sentry_connector.simulator import TOKEN
from tests.cli.shell import Shell
from tests.postgres import Server

EVENTS = ("--report", "project-events", "--project", "acme/shop", "--since-last-run")


def test_a_backup_is_a_whole_database_for_its_owner_alone(shell: Shell, tmp_path: Path) -> None:
    shell.ok("accounts", "add", "Main", stdin=TOKEN)
    copy = tmp_path / "copies" / "one.db"
    told = shell.json("backup", str(copy))
    assert told == {"file": str(copy), "bytes": copy.stat().st_size}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [path.name for path in copy.parent.iterdir()] == ["one.db"]
    elsewhere = shell.with_env(SENTRY_CONNECTOR_DATABASE_URL=f"sqlite:///{copy}")
    assert elsewhere.json("accounts", "check", "Main")["status"] == "valid"


def test_a_backup_takes_no_other_files_place(shell: Shell, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    assert shell("backup", str(there)).exit_code == 2
    assert there.read_text() == "mine"
    assert shell("backup", "/dev/null/x").exit_code in {30, 51}


def grown(shell: Shell) -> list[int]:
    """Rows of a table that Append and one that Upsert keeps, after one more run of each."""
    for name in ("Appended", "Upserted"):
        (run,) = shell.json("datasets", "run", name)
        assert run["verdict"] == "COMPLETE"
    return [shell.json("datasets", "show", name)["rows"] for name in ("Appended", "Upserted")]


def made(shell: Shell) -> None:
    for name, method in (("Appended", "append"), ("Upserted", "upsert")):
        shell.ok("datasets", "create", "--name", name, "--update-method", method, *EVENTS)


def test_an_older_sqlite_store_beside_newer_tables_loses_and_doubles_nothing(shell: Shell, tmp_path: Path) -> None:
    made(shell)
    shell.ok("backup", str(tmp_path / "early"))
    rows = grown(shell)
    for beside in ("connector.db-wal", "connector.db-shm"):
        (shell.home / beside).unlink(missing_ok=True)
    shutil.copy(tmp_path / "early", shell.home / "connector.db")
    assert shell.json("runs", "list") == []
    assert grown(shell) == rows
    assert [one["verdict"] for one in shell.json("runs", "list")] == ["COMPLETE", "COMPLETE"]


def test_an_older_postgresql_store_beside_newer_tables_loses_and_doubles_nothing(
    shell: Shell, postgres: Server, tmp_path: Path
) -> None:
    def on(url: str) -> Shell:
        return shell.with_env(
            SENTRY_CONNECTOR_DATABASE_URL=url,
            SENTRY_CONNECTOR_KEY=key,
            SENTRY_CONNECTOR_STORAGE=str(tmp_path / "tables"),
        )

    key = base64.b64encode(os.urandom(32)).decode()
    before, after = postgres.fresh_database(), postgres.fresh_database()
    made(on(before))
    saved = tmp_path / "saved"
    subprocess.run([postgres.program("pg_dump"), "--format", "custom", "--file", saved, before], check=True)
    refused = on(before)("backup", str(tmp_path / "x"))
    assert refused.exit_code == 2
    assert "pg_dump" in refused.stderr
    rows = grown(on(before))
    subprocess.run([postgres.program("pg_restore"), "--dbname", after, saved], check=True)
    restored = on(after)
    assert restored.json("runs", "list") == []
    assert grown(restored) == rows
    assert [one["verdict"] for one in restored.json("runs", "list")] == ["COMPLETE", "COMPLETE"]
