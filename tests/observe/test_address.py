"""Addresses as users write them; without a host it is this machine alone."""

import pytest

from jrr_core.errors import ConfigError
from jrr_core.observe.address import Address, address_of


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("9464", "127.0.0.1", 9464),
        (":9464", "127.0.0.1", 9464),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("[::1]:9464", "::1", 9464),
        (" metrics.example:65535 ", "metrics.example", 65535),
    ],
)
def test_forms_of_an_address(text: str, host: str, port: int) -> None:
    assert address_of(text, "metrics.listen") == Address(host, port)


@pytest.mark.parametrize("text", ["x", "127.0.0.1", "127.0.0.1:", "1:65536", "http://a:1", "a b:1", "::1:9464", "-1"])
def test_what_is_no_address_names_its_key(text: str) -> None:
    with pytest.raises(ConfigError, match=r"metrics\.listen = .* is no address to listen at; write 127\.0\.0\.1:9464"):
        address_of(text, "metrics.listen")


def test_an_address_is_shown_as_it_is_written() -> None:
    assert [str(address_of(text, "k")) for text in ("[::1]:5", "5")] == ["[::1]:5", "127.0.0.1:5"]
