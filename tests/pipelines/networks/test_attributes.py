"""Tables of what a data set's images are like."""

from pathlib import Path

import pytest

from pipelines.networks.attributes import MOST_WORDS, Attributes, read_attributes
from pipelines.networks.slicing import MEASURED
from pipelines.workspace.errors import ScanError

IMAGES = ["a", "b", "c"]


def read(folder: Path, text: str, name: str = "t.csv") -> Attributes:
    path = folder / name
    path.write_text(text)
    return read_attributes(path, IMAGES, MEASURED)


def test_two_sides_words_and_numbers(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "file,Eyeglasses,hat,Beard,age,veil\n"
        "images/a.jpg,1,beret,Yes,31,1.0\nb.png,-1,turban,no,7.5,0.0\nc,-1,,NO,40,\n",
    )
    assert found.words == {
        "Eyeglasses": {"a": "yes", "b": "no", "c": "no"},
        "hat": {"a": "beret", "b": "turban"},
        "Beard": {"a": "yes", "b": "no", "c": "no"},
        "veil": {"a": "yes", "b": "no"},
    }
    assert found.numbers == {"age": {"a": 31, "b": 7.5, "c": 40}}
    assert found.notes == []


@pytest.mark.parametrize("name", ["t.tsv", "t.csv"])
def test_tabs_and_other_names_of_the_first_column(tmp_path: Path, name: str) -> None:
    for column in ("name", "Image_ID", "filename"):
        found = read(tmp_path, f"{column}\thair\na\tlong\nb\tshort\nc\tlong\n", name)
        assert found.words == {"hair": {"a": "long", "b": "short", "c": "long"}}


def test_what_does_not_fit_is_a_note_each(tmp_path: Path) -> None:
    found = read(tmp_path, "file,hat\na,yes\nx1,no\nx2,no\nx3,no\nx4,no\n")
    assert found.words == {"hat": {"a": "yes"}}
    assert found.notes == [
        f"{tmp_path}/t.csv: 2 images have no row: b, c",
        f"{tmp_path}/t.csv: 4 rows are about no image: x1, x2, x3 and 1 more",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,hat\nz,1\n", r"none of its 1 rows is about one of the 3 images; it names z"),
        ("hat,hair\n1,1\n", r"no column says which image .* name it file \(it has hat, hair\)"),
        ("file,hat\na,1\na,-1\n", "row 2: another row says otherwise of a"),
        ("file,hat\na,1,2\n", "row 1: has more cells than there are columns"),
        ("file,hat\n,1\n", "row 1: names no image"),
        ("file,age\na,31\nb,old\n", "column age: 'old' of b is no number"),
        ("file,age\na,31\nb,nan\n", "column age: 'nan' of b is no number"),
        ("file,age\na,31\nb,inf\n", "column age: 'inf' of b is no number"),
        ("file,hat\na,1\nb,x\n", "column hat: 'x' of b is no number"),
        ("file\na\n", "has no column beside that of the files"),
        ("file,skin_tone\na,dark\n", "column skin_tone: is measured on the images; rename"),
        ("file,hat\n", "has no rows"),
        ("", "has no rows"),
    ],
)
def test_a_bad_table_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ScanError, match=message) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert "t.csv" in str(caught.value)


def test_names_are_no_trait(tmp_path: Path) -> None:
    images = [f"i{number}" for number in range(MOST_WORDS + 1)]
    path = tmp_path / "t.csv"
    path.write_text("file,author\n" + "".join(f"{name},by {name}\n" for name in images))
    with pytest.raises(ScanError, match=f"author: has {MOST_WORDS + 1} different words"):
        read_attributes(path, images)


def test_no_table_at_all(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match=r"no table of attributes; give one of \.csv"):
        read(tmp_path, "x", "t.docx")
    with pytest.raises(ScanError, match="cannot be read as a table"):
        read_attributes(tmp_path / "gone.csv", IMAGES)
