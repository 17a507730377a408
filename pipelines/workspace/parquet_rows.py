"""Parquet files as crawls: a column of image files, or one of addresses.

A column of images holds bytes, or the `{bytes, path}` of Hugging Face's `datasets`. All other plain
columns may say where the photo came from. Rows are read forward, a few at a time: however large a
file is, little of it is in memory.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, BinaryIO, Final, NamedTuple

from pipelines.workspace.errors import ItemError, ScanError
from pipelines.workspace.tables import is_heavy, plain_column

IMAGE_COLUMNS: Final = (
    "image", "img", "photo", "picture", "jpg", "jpeg", "png", "webp", "bytes", "content", "data",
    "image_bytes", "pixel_bytes",
)  # fmt: skip
"""Names of columns of images, best first."""
ADDRESS_COLUMNS: Final = ("url", "image_url", "img_url", "photo_url", "source_url", "uri", "src")
_ROWS: Final = 16  # read at once


class ParquetKind(NamedTuple):
    """What is in a Parquet file: one of the columns is None.

    Attributes:
        images: column of image files.
        addresses: column of addresses.
        of_img2dataset: written by img2dataset, beside its `_stats.json`.
    """

    images: str | None
    addresses: str | None
    of_img2dataset: bool


class ParquetRows:
    """An opened Parquet file."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        """Read its footer.

        Args:
            file: can be sought in.
            name: of it, for people.

        Raises:
            ScanError: pyarrow is not installed.
            ValueError: it is no Parquet file, or cut off.
        """
        try:
            from pyarrow import ArrowException
            from pyarrow.parquet import ParquetFile
        except ImportError as error:
            raise ScanError(
                f"{name}: reading Parquet needs pyarrow: pip install 'portrait-dataengine[export]'"
            ) from error
        self._error = ArrowException
        self._name = name
        try:
            self._file = ParquetFile(file, pre_buffer=False)
        except (ArrowException, OSError) as error:
            raise ValueError(" ".join(str(error).split())) from error
        self._schema = self._file.schema_arrow
        self._at: tuple[str, int, int] | None = None  # column, group, row that comes next
        self._coming: Iterator[Any] = iter(())
        self._said: tuple[int, Any] | None = None  # group, and its plain columns

    @property
    def rows(self) -> int:
        """Number of them."""
        number: int = self._file.metadata.num_rows
        return number

    def kind(self) -> ParquetKind:
        """Which column holds photos, or their addresses.

        Raises:
            ScanError: several columns may hold images.
        """
        names = [each.name for each in self._schema]
        spelt = {plain_column(name): name for name in reversed(names)}
        images = [each.name for each in self._schema if _may_hold_images(each.type)]
        named = [spelt[name] for name in IMAGE_COLUMNS if spelt.get(name) in images]
        if not named and len(images) > 1:
            listed = ", ".join(images)
            raise ScanError(f"{self._name}: any of {listed} may hold the images; name one `image`")
        addresses = next((spelt[name] for name in ADDRESS_COLUMNS if name in spelt), None)
        if addresses is not None and "string" not in str(self._schema.field(addresses).type):
            addresses = None
        image = next(iter(named or images), None)
        of_img2dataset = {"key", "status", "url"} <= spelt.keys()
        return ParquetKind(image, None if image else addresses, of_img2dataset)

    def plain(self) -> Iterator[Mapping[str, Any]]:
        """All rows, without the columns of bytes and nested values.

        Raises:
            ValueError: the file is damaged.
        """
        columns = [each.name for each in self._schema if not is_heavy(each.type)]
        try:
            for batch in self._file.iter_batches(batch_size=1024, columns=columns):
                yield from batch.to_pylist() if columns else ({} for _ in range(batch.num_rows))
        except (self._error, OSError) as error:
            raise ValueError(" ".join(str(error).split())) from error

    def beside(self, number: int) -> Mapping[str, Any]:
        """The plain columns of one row; nothing if they cannot be read."""
        columns = [each.name for each in self._schema if not is_heavy(each.type)]
        if not columns:
            return {}
        first, group = self._group_of(number)
        if self._said is None or self._said[0] != group:
            try:
                self._said = group, self._file.read_row_group(group, columns=columns)
            except (self._error, OSError):
                return {}
        (row,) = self._said[1].slice(number - first, 1).to_pylist()
        found: Mapping[str, Any] = row
        return found

    def image(self, column: str, number: int, max_bytes: int) -> bytes:
        """The image file in a row; rows are best asked for in their order.

        Raises:
            ItemError: `missing`, `unreadable`, `empty_file` or `too_large`.
        """
        name = f"{self._name}#{column}/{number}"
        if column not in self._schema.names or not 0 <= number < self.rows:
            raise ItemError("missing", f"{name!r}: no such column or row (any more); scan it again")
        try:
            value = self._value(column, number)
        except (self._error, OSError) as error:
            self._at = None
            text = " ".join(str(error).split())
            raise ItemError("unreadable", f"{name!r} cannot be read ({text})") from error
        data = value.get("bytes") if isinstance(value, dict) else value
        if not data:
            raise ItemError("empty_file", f"{name!r}: the row holds no image.")
        if len(data) > max_bytes:
            raise ItemError("too_large", f"{name!r} has more bytes than {max_bytes:,}.")
        return bytes(data)

    def _value(self, column: str, number: int) -> Any:
        first, group = self._group_of(number)
        if self._at is None or self._at[:2] != (column, group) or number < self._at[2]:
            batches = self._file.iter_batches(_ROWS, row_groups=[group], columns=[column])
            self._coming = (value for batch in batches for value in batch.column(0))
            self._at = column, group, first
        value = next(islice(self._coming, number - self._at[2], None))
        self._at = column, group, number + 1
        return value.as_py()

    def _group_of(self, number: int) -> tuple[int, int]:
        """First row of a row's group, and the group's number."""
        first = 0
        for group in range(self._file.metadata.num_row_groups):
            size = self._file.metadata.row_group(group).num_rows
            if number < first + size:
                return first, group
            first += size
        return first, -1


def _may_hold_images(kind: Any) -> bool:
    text = str(kind)
    if text.startswith("struct"):
        return any(each.name == "bytes" and "binary" in str(each.type) for each in kind)
    return text in ("binary", "large_binary", "binary_view")
