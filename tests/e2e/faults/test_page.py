"""The page of reliability has a place for each table, and only the place is written to."""

from pathlib import Path

import pytest

from .page import PAGE, table, write


def test_a_table_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- x -->\nold \\1\n<!-- end of x -->\nbehind\n", "utf-8")
    for lines in (["one", "two \\1"], ["three"]):
        write("x", lines, page)
    assert page.read_text("utf-8") == "before\n<!-- x -->\nthree\n<!-- end of x -->\nbehind\n"


def test_a_page_without_the_place_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing", "utf-8")
    with pytest.raises(ValueError, match="no place for x"):
        write("x", ["one"], page)


@pytest.mark.parametrize("name", ["fault table", "contest table"])
def test_the_page_has_the_place(name: str) -> None:
    text = PAGE.read_text("utf-8")
    assert text.index(f"<!-- {name} -->") < text.index(f"<!-- end of {name} -->")


def test_numbers_are_shown_with_thousands() -> None:
    assert table(["a", "b"], [["x", 12345]]) == ["| a | b |", "| --- | --- |", "| x | 12,345 |"]
