"""Traits of a data set's images that somebody wrote into a table: `evaluate --attributes FILE`."""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipelines.workspace.errors import ScanError
from pipelines.workspace.tables import (
    FILE_NAMES,
    TABLE_SUFFIXES,
    file_column,
    plain_name,
    table_rows,
)
from sinet.files.pairing import stem

MOST_WORDS: Final = 12
"""Different words that a trait may have; of a name or a comment no slices can be made."""
_CODES: Final = (
    {"1": "yes", "-1": "no"},
    {"1": "yes", "0": "no"},
    {"yes": "yes", "no": "no"},
    {"true": "yes", "false": "no"},
)
"""How the two sides of a trait are written: CelebA has 1 and -1."""
_NAMED: Final = 3


@dataclass(frozen=True, kw_only=True)
class Attributes:
    """What a table says of a data set's images.

    Attributes:
        words: trait → image → what it is; `yes` and `no` for all ways of writing the two.
        numbers: trait → image → how much.
        notes: lines about images without a row, and rows without an image.
    """

    words: Mapping[str, Mapping[str, str]]
    numbers: Mapping[str, Mapping[str, float]]
    notes: Sequence[str] = ()


def read_attributes(path: Path, images: Iterable[str], taken: Iterable[str] = ()) -> Attributes:
    """Read a table with a row an image and a column a trait.

    A column of 1 and -1, 1 and 0, yes and no, or true and false tells two sides; one of other
    numbers an amount, which is cut into thirds; any other one words. An empty cell says nothing.

    Args:
        path: .csv, .tsv or another table that `ingest --origin` reads, too. A column `file` or
            `name` says of which image, with or without folder and suffix.
        images: names of the data set's images, without suffix.
        taken: names of traits that mean something already.

    Raises:
        ScanError: it cannot be read, names no image of the data set, one image twice and
            differently, or a column is neither words nor numbers, or a name that is taken.
    """
    rows = _rows(path)
    known = list(images)
    found = {name: rows[name] for name in known if name in rows}
    if not found:
        raise ScanError(
            f"{path}: none of its {len(rows):,} rows is about one of the {len(known):,} images; "
            f"it names {next(iter(rows))}, the data set {known[0]}"
        )
    traits = dict.fromkeys(column for row in found.values() for column in row)
    if clash := sorted(set(taken) & traits.keys()):
        raise ScanError(f"{path}: column {clash[0]}: is measured on the images; rename the column")
    if not traits:
        raise ScanError(f"{path}: has no column beside that of the files: add one a trait")
    words: dict[str, Mapping[str, str]] = {}
    numbers: dict[str, Mapping[str, float]] = {}
    for trait in traits:
        said = {name: row[trait] for name, row in found.items() if row.get(trait)}
        amounts = _amounts(path, trait, said)
        if amounts is None:
            words[trait] = _words(path, trait, said)
        else:
            numbers[trait] = amounts
    notes = _note(path, [each for each in known if each not in rows], "images have no row")
    notes += _note(path, [each for each in rows if each not in found], "rows are about no image")
    return Attributes(words=words, numbers=numbers, notes=notes)


def _rows(path: Path) -> dict[str, dict[str, str]]:
    """Image → column → text."""
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise ScanError(f"{path}: no table of attributes; give one of {', '.join(TABLE_SUFFIXES)}")
    found: dict[str, dict[str, str]] = {}
    column: str | None = None
    try:
        for number, row in enumerate(table_rows(path), start=1):
            column = column or file_column(each for each in row if each is not None)
            if column is None:
                raise ScanError(
                    f"{path}: no column says which image a row is about; name it {FILE_NAMES[0]} "
                    f"(it has {', '.join(map(str, row))})"
                )
            if None in row:
                raise ScanError(f"{path}: row {number}: has more cells than there are columns")
            name = stem(plain_name(_text(row.get(column))))
            said = {key: _text(value) for key, value in row.items() if key not in ("", column)}
            if not name:
                raise ScanError(f"{path}: row {number}: names no image")
            if found.setdefault(name, said) != said:
                raise ScanError(f"{path}: row {number}: another row says otherwise of {name}")
    except (OSError, ValueError, csv.Error) as error:
        raise ScanError(f"{path}: cannot be read as a table ({error})") from error
    if not found:
        raise ScanError(f"{path}: has no rows: write one an image")
    return found


def _amounts(path: Path, trait: str, said: Mapping[str, str]) -> dict[str, float] | None:
    """Numbers by image; None where these are words, or the two sides of a trait."""
    if _code(said) is not None:
        return None
    amounts = {name: _number(text) for name, text in said.items()}
    if all(each is None for each in amounts.values()):
        return None
    for name, amount in amounts.items():
        if amount is None or not math.isfinite(amount):
            raise ScanError(
                f"{path}: column {trait}: {said[name]!r} of {name} is no number, as those of other "
                "images are; leave it empty if it is not known"
            )
    return {name: amount for name, amount in amounts.items() if amount is not None}


def _words(path: Path, trait: str, said: Mapping[str, str]) -> dict[str, str]:
    if (code := _code(said)) is not None:
        return {name: code[_plain(text)] for name, text in said.items()}
    different = Counter(said.values())
    if len(different) > MOST_WORDS:
        raise ScanError(
            f"{path}: column {trait}: has {len(different):,} different words; a trait has "
            f"{MOST_WORDS} at most: leave the column out"
        )
    return dict(said)


def _code(said: Mapping[str, str]) -> Mapping[str, str] | None:
    """How a column writes yes and no; None: it tells something else."""
    written = {_plain(text) for text in said.values()}
    return next((code for code in _CODES if written <= code.keys()), None)


def _plain(text: str) -> str:
    """Tables with gaps have 1.0 where 1 was written."""
    return text.lower().removesuffix(".0")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _text(value: Any) -> str:
    """A cell on one line, numbers as they are written: 1.0 is 1."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return " ".join(str("" if value is None else value).split())


def _note(path: Path, names: Sequence[str], what: str) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return [f"{path}: {len(names):,} {what}: {', '.join(names[:_NAMED])}{more}"]
