"""Settings reach another process as they were read, with where each value came from."""

from pathlib import Path

import pytest

from jrr_core.config import load_config, structure
from jrr_core.control.settings import ControlSettings
from jrr_core.errors import ConfigError
from jrr_core.workers.lines import Order, Part, Word, line, packed, read_order, read_word, unpacked


def test_settings_come_out_as_they_went_in(tmp_path: Path) -> None:
    (tmp_path / "jrr.toml").write_text('subscribe = ["x:trade:A"]\n[sinks.store]\npath = "a.db"\n')
    config = load_config(None, ["sinks.store.path=b.db"], environ={}, folder=tmp_path)
    part: Part = unpacked(packed(Part(config, 2, 3, "asyncio")))
    assert (part.config, part.number, part.count, part.loop) == (config, 2, 3, "asyncio")


def test_an_error_in_a_worker_names_where_the_value_came_from(tmp_path: Path) -> None:
    config = load_config(None, ["sinks.store.wrong=1"], environ={}, folder=tmp_path)
    with pytest.raises(ConfigError, match=r"^--set sinks\.store\.wrong: .*unknown key 'wrong'"):
        structure(ControlSettings, unpacked(packed(config)).sinks["store"], "sinks.store")


def test_orders_and_words_are_one_line_each_whatever_is_in_them() -> None:
    order, word = Order("subscribe", 3, ["x:trade:a\nb"]), Word("end", failings=["a\nb"], failure="c\nd", misuse=True)
    for said in (line(order), line(word)):
        assert said.count(b"\n") == 1
    assert read_order(line(order)) == order
    assert read_word(line(word)) == word
