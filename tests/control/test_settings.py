"""Where a socket may be."""

from pathlib import Path

import pytest

from jrr_core.control.settings import socket_path
from jrr_core.errors import ConfigError


def test_a_path_too_long_for_a_socket_is_the_users_to_shorten() -> None:
    assert socket_path("x" * 100) == Path("x" * 100)
    with pytest.raises(ConfigError, match=r"is 101 bytes long, and a unix socket's path may have 100: write one"):
        socket_path("x" * 101)
    with pytest.raises(ConfigError, match="102 bytes"):
        socket_path("ü" * 51)
