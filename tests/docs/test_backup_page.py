"""The commands of docs/backup.md, typed as they stand: what is restored is what was stored."""

import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from jrr_postgres.testing import Server
from jrr_postgres.testing.installation import installations

from tests.docs.examples import ROOT, blocks_of
from tests.docs.reader import Reader, Urls, listening

pytestmark = pytest.mark.e2e

COPY, LOOK, DUMP, BASE, REPLAY = (
    block.code for block in blocks_of(ROOT / "docs" / "backup.md") if block.words == "tests/docs/test_backup_page.py"
)
COLLECT = "--subscribe binance:trade:BTCUSDT --subscribe binance:book:ETHUSDT --set capture.path=captures"


@pytest.fixture(scope="module")
def urls() -> Iterator[Urls]:
    with listening("binance") as found:
        yield found


def said(reader: Reader, commands: str) -> str:
    """Return what commands print; they must end well."""
    typed = reader.type(commands)
    assert typed.returncode == 0, f"{typed.stdout}\n{typed.stderr}"
    return typed.stdout


def digest(text: str) -> list[str]:
    """Return the lines of `jrr digest`."""
    found = re.findall(r"^.*\b[0-9a-f]{16,}\b.*$", text, re.MULTILINE)
    assert found, text
    return found


@pytest.fixture
def reader(urls: Urls, tmp_path: Path) -> Reader:
    """Somebody with a SQLite store and a capture of the same run."""
    found = Reader(tmp_path, urls, "")
    found.sit_down()
    said(found, f"jrr run --plugins binance,sqlite {COLLECT}")
    return found


def test_a_sqlite_file_is_restored(reader: Reader) -> None:
    before = digest(said(reader, "jrr digest --plugins sqlite"))
    assert digest(said(reader, COPY + LOOK)) == before


@pytest.mark.nightly
def test_a_capture_gives_what_came_after_the_backup(reader: Reader) -> None:
    said(reader, COPY)
    said(reader, f"jrr run --plugins binance,sqlite {COLLECT}")
    after = digest(said(reader, "jrr digest --plugins sqlite"))
    assert digest(said(reader, LOOK)) != after
    look = "jrr digest --plugins sqlite --set sinks.sqlite.path=restored.db"
    assert digest(said(reader, REPLAY + look)) == after


@pytest.fixture
def administrator(own_server: Server, urls: Urls, tmp_path: Path) -> Reader:
    """Somebody with the server's own programs, whose tools find the server by their usual variables."""
    programs = installations()[own_server.installation.kind].bin
    host, port, user = "127.0.0.1", str(own_server.port), "postgres"
    more = {
        "PGHOST": host, "PGPORT": port, "PGUSER": user, "DB_HOST": host, "DB_PORT": port, "DB_USER": user,
        "PATH": f"{programs}:{os.environ['PATH']}",
    }  # fmt: skip
    reader = Reader(tmp_path, urls, "", more)
    reader.sit_down()
    (tmp_path / "bin" / "psql").unlink()
    return reader


def test_a_postgresql_schema_is_restored_blocks_included(administrator: Reader) -> None:
    said(administrator, f"jrr run --plugins binance,postgres {COLLECT}")
    day = (datetime.now(UTC) + timedelta(days=1)).date()
    assert "blocks" in said(administrator, f"jrr postgres compact --before {day}")
    before = digest(said(administrator, "jrr digest --plugins postgres"))
    assert digest(said(administrator, DUMP)) == before


@pytest.mark.nightly
def test_a_base_backup_is_the_server(administrator: Reader, own_server: Server) -> None:
    said(administrator, f"jrr run --plugins binance,postgres {COLLECT}")
    look = "jrr digest --plugins postgres"
    before = digest(said(administrator, look))
    said(administrator, BASE)
    own_server.stop()
    folder, owner = own_server.folder, own_server.folder.stat()
    shutil.rmtree(folder)
    shutil.copytree(administrator.folder / "base", folder)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    own_server.start()
    assert digest(said(administrator, look)) == before
