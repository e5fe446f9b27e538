"""Whatever jrr raises on purpose is a JrrError, so that one place can show it."""

import pytest

from jrr_core import errors


@pytest.mark.parametrize("name", ["ConfigError", "PluginError", "ParseError", "SinkUnavailable", "SinkRejected"])
def test_every_error_is_a_jrr_error_and_says_who_must_act(name: str) -> None:
    error = getattr(errors, name)
    assert issubclass(error, errors.JrrError)
    assert error.__doc__
    assert str(error("the text the user reads")) == "the text the user reads"


def test_no_error_is_a_kind_of_another() -> None:
    kinds = [errors.ConfigError, errors.PluginError, errors.ParseError, errors.SinkUnavailable, errors.SinkRejected]
    assert [kind for kind in kinds if kind.__bases__ != (errors.JrrError,)] == []
