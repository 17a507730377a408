"""Foreign text shows what it is and does nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinet.escaping import markdown, printable
from sinet.json_text import from_json, from_toml


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë's 写真 №1 🙂.jpg", "Zoë's 写真 №1 🙂.jpg"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[2J\x07\x00\x7f", "\\x1b[2J\\x07\\x00\\x7f"),
        ("\x9b31mred\x85", "\\x9b31mred\\x85"),
        ("invoice\u202egpj.exe", "invoice\\u202egpj.exe"),
        ("\u2066\u2069\u200e\u061c\ufeff\u200b", "\\u2066\\u2069\\u200e\\u061c\\ufeff\\u200b"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("\U000e0041", "\\U000e0041"),
        ("\udcff.jpg", "\\udcff.jpg"),
        ("\ud800", "\\ud800"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
    ],
)
def test_terminals(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters(codec=None)))
def test_any_text_is_one_line_that_any_terminal_only_shows(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert shown.encode().decode() == printable(shown) == shown


@pytest.mark.parametrize("text", ["<script>x</script>", "| a | b |", "[x](http://y)", "![i](j)",
                                  "&lt;b&gt;", "# title", "`code`", "a\n\n# b"])  # fmt: skip
def test_markdown_and_html(text: str) -> None:
    shown = markdown(text)
    unescaped = shown.replace("\\\\", "")
    for mark in "<|[!&#`":
        assert unescaped.count(mark) == unescaped.count(f"\\{mark}")
    assert "\n" not in shown


@pytest.mark.parametrize(
    ("read", "text"),
    [(from_json, "[" * 100_000), (from_json, '{"a":' * 100_000), (from_toml, "a=" + "[" * 99_999)],
)
def test_what_is_nested_too_deeply_is_a_value_error(read: object, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(text)  # type: ignore[operator]
