"""Foreign text where it is shown: names of files and people, comments, metadata, errors of others.

One function a target. What is written for programs needs none: `sinet.json_text` writes ASCII.
"""

import re

_FORMULA = ("=", "+", "-", "@", "|", "%", "＝", "＋", "－", "＠")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~&])")


def printable(text: str) -> str:
    """Text on one line of any terminal: what is not to be seen becomes its code.

    Control characters of both kinds (they colour, move and clear), line ends, marks that turn the
    direction of writing, invisible ones, and bytes that are no UTF-8. Printing it again changes
    nothing.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _code(each) for each in text)


def markdown(text: str) -> str:
    """Text within a line or a table of Markdown or HTML: as it is, and nothing more."""
    return _MARKDOWN.sub(r"\\\1", printable(text))


def csv_cell(text: str) -> str:
    """Text in a table that a spreadsheet may open: what it would run is marked as text."""
    shown = printable(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


def _code(character: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    number = ord(character)
    if number > 0xFFFF:
        return f"\\U{number:08x}"
    return named.get(character) or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}")
