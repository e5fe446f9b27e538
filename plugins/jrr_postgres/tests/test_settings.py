"""Settings, and where they lead."""

from pathlib import Path

import pytest
from jrr_postgres import StorageConfig
from jrr_postgres.settings import DATABASE, target_of

from jrr_core.errors import ConfigError
from jrr_core.structure import structure

ENVIRON = {"DB_HOST": "db", "DB_PORT": "6000", "DB_NAME": "market", "DB_USER": "u", "DB_PASSWORD": "from-environ"}


def test_what_is_said_nowhere_is_the_local_server(tmp_path: Path) -> None:
    target = target_of(StorageConfig(), {}, tmp_path)
    assert (target.host, target.port, target.database, target.user) == ("localhost", 5432, DATABASE, None)


def test_settings_win_over_the_environment_and_that_over_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DB_HOST=file\nDB_NAME='filed'\nDB_PASSWORD=from-file # secret\n")
    target = target_of(StorageConfig(host="set"), {"DB_NAME": "environ"}, tmp_path)
    assert (target.host, target.database, target.password) == ("set", "environ", "from-file")
    assert target_of(StorageConfig(), ENVIRON, tmp_path).password == "from-environ"


def test_a_dsn_is_completed_by_the_password_alone(tmp_path: Path) -> None:
    target = target_of(StorageConfig(dsn="postgresql://me@far:7000/there"), ENVIRON, tmp_path)
    assert (target.host, target.port, target.database, target.user) == ("far", 7000, "there", "me")
    assert target.arguments()["password"] == "from-environ"
    own = target_of(StorageConfig(dsn="postgresql://me:p%40ss@far/there"), ENVIRON, tmp_path)
    assert own.password == "p@ss"


@pytest.mark.parametrize(
    ("settings", "environ", "says"),
    [
        ({"dsn": "mysql://u:hunter2@h/d"}, {}, "does not begin with postgresql://"),
        ({"dsn": "postgresql://u:hunter2@h:port/d"}, {}, "is not an address"),
        ({}, {"DB_PORT": "many"}, "takes a number"),
    ],
)
def test_an_address_that_is_none_is_refused_without_its_secret(
    settings: dict[str, str], environ: dict[str, str], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        target_of(StorageConfig(**settings), environ, tmp_path)  # type: ignore[arg-type]  # texts all
    assert "hunter2" not in str(refused.value)


def test_secrets_are_in_no_text_form(tmp_path: Path) -> None:
    settings = StorageConfig(dsn="postgresql://u:hunter2@h/d", password="hunter3")
    assert "hunter" not in repr(settings) + repr(target_of(settings, {}, tmp_path))


@pytest.mark.parametrize(
    ("key", "value"),
    [("schema", "pg_x"), ("schema", 'a"b'), ("pool_size", 1), ("retention_days", {"trade": 3}),
     ("retention_days", {"trades": 0}), ("sslmode", "maybe"), ("synchronous_commit", "later"), ("pause_s", -1.0)],
)  # fmt: skip
def test_a_setting_that_makes_no_sense_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=key):
        structure(StorageConfig, {key: value}, "sinks.postgres")
