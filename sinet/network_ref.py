"""Networks by name: what a user may write wherever a network is wanted, understood in one place.

`bundled` and `sinet:bundled` are weights in the package, `sinet:FILE` a checkpoint, `onnx:FILE` an
exported network; a bare file is told by its suffix. Whoever knows more names than these, as a
workspace does, brings them along.
"""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from sinet.bundled import BUNDLED
from sinet.errors import CheckpointError, NetworkError
from sinet.suggestion import suggestion


class NetworkKind(StrEnum):
    """What stands behind a name; the values are for messages."""

    BUNDLED = "weights of the package"
    CHECKPOINT = "a checkpoint"
    ONNX = "an exported network"
    NAMED = "a network of another package"
    MEAN = "a mean of networks"


PREFIXES: Final = {"sinet": NetworkKind.CHECKPOINT, "onnx": NetworkKind.ONNX}
RESOLUTION_MULTIPLE: Final = 32
"""In pixels: networks shrink their input by up to as much."""

VIEWS: Final = "views:"
"""Before the name of a network that is to be asked about views of an image."""

SUFFIXES: Final = {
    ".safetensors": NetworkKind.CHECKPOINT,
    ".pth": NetworkKind.CHECKPOINT,
    ".onnx": NetworkKind.ONNX,
}
"""Of bare files; after a prefix a file may be called as it likes."""

_OF_KIND: Final = {
    NetworkKind.BUNDLED: ", ".join(BUNDLED),
    NetworkKind.CHECKPOINT: "sinet:FILE (.safetensors, or the SINet authors' .pth)",
    NetworkKind.ONNX: "onnx:FILE",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkRef:
    """A network by name.

    Attributes:
        name: as it was written, but for the prefix that asks for views.
        kind: what stands behind it.
        file: with the weights; None: the caller brought the name and knows what it stands for.
        members: of a mean; none for any other.
        resolution: side in pixels of the square that images are brought to; None: as the file says.
        views: it is asked about views of an image, too, and the mean of what it says counts; only
            who asks knows how (`pipelines.networks.views`).
        hint: names that may have been meant, for the message that the file is missing.
    """

    name: str
    kind: NetworkKind
    file: Path | None
    members: tuple["NetworkRef", ...] = ()
    resolution: int | None = None
    views: bool = False
    hint: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        """As it was written."""
        return f"{VIEWS}{self.name}" if self.views else self.name

    @property
    def each(self) -> tuple["NetworkRef", ...]:
        """The networks that are asked: a mean's members, any other itself."""
        return self.members or (self,)

    @property
    def label(self) -> str:
        """Short, for tables and progress: a file's name, else the network's; its resolution."""
        if self.members:
            return ", ".join(member.label for member in self.members)
        name = self.name
        if self.file is not None and self.kind is not NetworkKind.BUNDLED:
            name = self.file.name
        if self.resolution is not None:
            name = f"{name} at {self.resolution}"
        return f"{name} by views" if self.views else name

    @property
    def recorded(self) -> str:
        """As it is written down with what it made: without the folder, its kind in front."""
        if self.views:
            return f"{VIEWS}{replace(self, views=False).recorded}"
        prefix = next((each for each, kind in PREFIXES.items() if kind is self.kind), None)
        return self.label if prefix is None else f"{prefix}:{self.label}"

    def at(self, resolution: int | None) -> "NetworkRef":
        """The same network, or mean, with images brought to another size; None: to the file's own.

        Raises:
            NetworkError: no network is built for such a size.
        """
        if resolution is not None and (resolution < 1 or resolution % RESOLUTION_MULTIPLE):
            raise NetworkError(
                f"--resolution is {resolution}: a multiple of {RESOLUTION_MULTIPLE} is needed."
            )
        members = tuple(member.at(resolution) for member in self.members)
        return replace(self, members=members, resolution=resolution)

    def weights(self) -> Path:
        """Return the file, which is there.

        Raises:
            CheckpointError: it is not; the message suggests a name that is near.
        """
        if self.file is None:
            raise CheckpointError(f"{self.name}: stands for no file of weights.")
        if not self.file.is_file():
            what = "ONNX file" if self.kind is NetworkKind.ONNX else "file"
            raise CheckpointError(f"{self.file}: no such {what}{self.hint or '.'}")
        return self.file

    def must_be(
        self, kinds: Collection[NetworkKind], place: str, names: Collection[str] = ()
    ) -> None:
        """Refuse a network of a kind that a place has no use for.

        Args:
            kinds: that fit.
            place: as users know it: an option or a command.
            names: of the caller's that fit, too.

        Raises:
            NetworkError: it does not fit; the message says which do.
        """
        if self.views or (self.kind not in kinds and self.name not in names):
            fitting = ", ".join((*names, *(_OF_KIND[kind] for kind in _OF_KIND if kind in kinds)))
            kind = "a mean of views" if self.views else self.kind
            raise NetworkError(f"{self}: {kind}, but {place} takes {fitting}.")


TRAINABLE: Final = frozenset({NetworkKind.BUNDLED, NetworkKind.CHECKPOINT})
"""Kinds whose weights can be learnt further and exported."""


def parse(text: str, names: Collection[str] = (), *, unlisted: Collection[str] = ()) -> NetworkRef:
    """Understand a network's name, without a look at the disk.

    Args:
        text: as a user wrote it.
        names: that the caller knows beside those of this package.
        unlisted: likewise, but not told to users.

    Raises:
        NetworkError: nothing of that name is known; the message lists what is, and the nearest.
    """
    if text in BUNDLED:
        return NetworkRef(name=text, kind=NetworkKind.BUNDLED, file=BUNDLED[text])
    if text in names or text in unlisted:
        return NetworkRef(name=text, kind=NetworkKind.NAMED, file=None)
    prefix, _, rest = text.partition(":")
    by_suffix = SUFFIXES.get(Path(text).suffix.lower())
    hint = suggestion(text, _near(prefix, rest, names))
    if rest and prefix in PREFIXES:
        kind = PREFIXES[prefix]
        if by_suffix is not None and by_suffix is not kind:
            other = next(each for each, kind in PREFIXES.items() if kind is by_suffix)
            raise NetworkError(f"{text}: {by_suffix} by its suffix: give {other}:{rest}.")
        return NetworkRef(name=text, kind=kind, file=Path(rest), hint=hint)
    if by_suffix is not None:
        return NetworkRef(name=text, kind=by_suffix, file=Path(text), hint=hint)
    known = ", ".join((*names, *BUNDLED, *(f"{each}:FILE" for each in PREFIXES)))
    raise NetworkError(
        f"unknown network {text!r}; known are {known}, and files ({', '.join(SUFFIXES)}){hint}"
    )


def mean_of(members: Sequence[NetworkRef]) -> NetworkRef:
    """Return what stands for the mean of several networks, or the only one itself."""
    if len(members) == 1:
        return members[0]
    name = ",".join(map(str, members))
    return NetworkRef(name=name, kind=NetworkKind.MEAN, file=None, members=tuple(members))


def as_ref(network: NetworkRef | Path | str) -> NetworkRef:
    """Return what a parameter of this package names: a reference, a name, or a path.

    A path stands for itself, whatever it is called: an exported network by its suffix, else a
    checkpoint.

    Raises:
        NetworkError: as `parse`.
    """
    if isinstance(network, NetworkRef):
        return network
    if isinstance(network, str):
        return parse(network)
    kind = SUFFIXES.get(network.suffix.lower(), NetworkKind.CHECKPOINT)
    return NetworkRef(name=str(network), kind=kind, file=network)


def _near(prefix: str, rest: str, names: Collection[str]) -> list[str]:
    """Names to compare a mistyped one with: where a prefix is nearly one, with what follows it."""
    near = difflib.get_close_matches(prefix.lower(), PREFIXES, n=1) if rest else []
    return [*names, *BUNDLED, *(f"{each}:{rest}" for each in near if each != prefix)]
