"""What an ONNX segmentation network's output means, by its graph, its dtype and a probe."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import onnx

from sinet.errors import CheckpointError, NetworkOutputError
from sinet.onnx.enlargement import Enlargement
from sinet.onnx.feeding import InputLayout
from sinet.onnx.graph import attribute, last_step, quantisation
from sinet.onnx.options import OnnxOptions
from sinet.onnx.outputs import PERSON_OF, Output, View, choose
from sinet.probability import sigmoid, softmax_channel

Meaning = Literal["softmax", "sigmoid", "none", "classes", "votes"]
"""Of values: logits of classes, logits of yes or no, probabilities, numbers of classes, or integers
of which the highest wins."""

_PROBABILITIES: Final = frozenset({"Sigmoid", "HardSigmoid", "Softmax"})
_LINEAR: Final = frozenset(
    {"Add", "BatchNormalization", "Conv", "ConvTranspose", "Gemm", "MatMul", "Sub"}
)
"""Steps that end in logits, of any sign; others that never fall below 0 were scaled or clipped."""

_TOLERANCE: Final = 1e-3
"""By which probabilities may leave [0, 1]: half precision rounds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputLayout:
    """What is taken of a network's output, and how.

    Attributes:
        name: of the output.
        others: names of those that are not taken.
        view: how its axes lie.
        quantised: scale and zero point of its values; None: they are what they are.
        classes: channels, or classes of a map of classes.
        person_index: the channel or class that is taken.
        meaning: of its values.
    """

    name: str
    others: tuple[str, ...]
    view: View
    quantised: tuple[float, float] | None
    classes: int
    person_index: int
    meaning: Meaning

    def person(
        self, raw: npt.NDArray[Any], enlargement: Enlargement | None = None
    ) -> npt.NDArray[np.float32]:
        """Return the person's probability, float32 (h, w) in [0, 1].

        Args:
            raw: the output as the network gave it.
            enlargement: to be done before values become probabilities.

        Raises:
            NetworkOutputError: NaN, infinite, or a probability that is none.
        """
        planes, person = self.view.planes(raw), self.person_index
        match self.meaning:
            case "classes":
                return np.asarray(planes[0] == person, np.float32)
            case "votes":
                return np.asarray(planes.argmax(0) == person, np.float32)
        if self.quantised is not None:
            scale, zero = self.quantised
            planes = (planes.astype(np.float32) - zero) * scale
        if self.meaning != "softmax":  # the other classes do not matter
            planes, person = planes[person : person + 1], 0
        planes = np.asarray(planes, np.float32)
        if not np.isfinite(planes).all():
            what = "NaN" if np.isnan(planes).any() else "infinite values"
            raise NetworkOutputError(f"its output `{self.name}` has {what}")
        if enlargement is not None:
            planes = enlargement.sample(planes)
        match self.meaning:
            case "softmax":
                return softmax_channel(planes, person)
            case "sigmoid":
                return sigmoid(planes[person])
        low, high = float(planes.min()), float(planes.max())
        if low < -_TOLERANCE or high > 1 + _TOLERANCE:
            raise NetworkOutputError(
                f"its output `{self.name}` has values from {low:.4g} to {high:.4g}, which are no "
                "probabilities"
            )
        return np.asarray(np.clip(planes[person], 0, 1), np.float32)


def read_output(
    raw: Mapping[str, npt.NDArray[Any]],
    fed: InputLayout,
    options: OnnxOptions,
    model: onnx.ModelProto,
    inner: Callable[[str], npt.NDArray[Any]],
    path: Path,
    where: str,
) -> OutputLayout:
    """Understand what a network answered to a probe.

    Args:
        raw: name → output.
        fed: how it was fed.
        options: what is said of it.
        model: its graph.
        inner: returns a value within the graph, by name, for the same probe.
        path: of the file, for messages.
        where: options can be said, for messages.

    Raises:
        CheckpointError: no output is a map, or nothing tells which channel is the person.
    """
    chosen = _chosen(raw, fed, options, path, where)
    last = last_step(model, chosen.name)
    quantised = quantisation(model, chosen.name) if chosen.planes.dtype.kind in "ui" else None
    # Numbers of classes are sometimes handed out as floats.
    is_numbered = len(chosen.planes) == 1 and last is not None and last.op_type == "ArgMax"
    is_map = is_numbered or (chosen.is_class_map and quantised is None)
    classes: int | None = len(chosen.planes)
    if is_map:
        classes = _classes_of_map(chosen, last, inner)
    person = _person_index(classes, options.person_index, chosen, path, where, is_map=is_map)
    return OutputLayout(
        name=chosen.name,
        others=tuple(name for name in raw if name != chosen.name),
        view=chosen.view,
        quantised=quantised,
        classes=max(person + 1, classes or 0),
        person_index=person,
        meaning=_meaning(chosen, last, quantised, options, path, where, is_map=is_map),
    )


def _chosen(
    raw: Mapping[str, npt.NDArray[Any]],
    fed: InputLayout,
    options: OnnxOptions,
    path: Path,
    where: str,
) -> Output:
    if options.output is not None and options.output not in raw:
        raise CheckpointError(
            f"{path}: has no output `{options.output}` ({', '.join(raw)}); correct it {where}"
        )
    wanted = raw if options.output is None else {options.output: raw[options.output]}
    found = choose(
        wanted,
        fed.batch,
        (fed.height, fed.width),
        channels_last=fed.channels_last,
        person_index=options.person_index,
    )
    if found is None:
        sizes = {name: np.shape(value) for name, value in wanted.items()}
        shapes = ", ".join(f"`{name}` {list(size)}" for name, size in sizes.items())
        (first, *others) = sizes.values()
        raise CheckpointError(
            f"{path}: none of its outputs is a map of the picture: {shapes}"
            if others
            else f"{path}: its output has {len(first)} axes, {list(first)}, not (N, classes, H, W)"
        )
    return found


def _classes_of_map(
    output: Output, last: onnx.NodeProto | None, inner: Callable[[str], npt.NDArray[Any]]
) -> int | None:
    """How many classes a map of classes has, by what its numbers were chosen from."""
    if output.planes.dtype.kind == "b":
        return 2
    if last is None or last.op_type != "ArgMax":
        return None
    return int(inner(last.input[0]).shape[attribute(last, "axis", 0)])


def _person_index(
    classes: int | None, said: int | None, output: Output, path: Path, where: str, *, is_map: bool
) -> int:
    if said is not None:
        if classes is not None and said >= classes:
            raise CheckpointError(
                f"{path}: person_index {said}, but the output has {classes} channels; correct it "
                f"{where}"
            )
        return said
    if is_map and classes in (1, None):
        raise CheckpointError(
            f"{path}: its output `{output.name}` is a map of classes ({output.planes.dtype}); say "
            f"which number is the person with person_index {where}"
        )
    if classes not in PERSON_OF:
        raise CheckpointError(
            f"{path}: its output has {classes} channels; say which one is the person with "
            f"person_index {where}"
        )
    return PERSON_OF[classes]


def _meaning(
    output: Output,
    last: onnx.NodeProto | None,
    quantised: tuple[float, float] | None,
    options: OnnxOptions,
    path: Path,
    where: str,
    *,
    is_map: bool,
) -> Meaning:
    planes = output.planes
    if is_map:
        return "classes"
    if planes.dtype.kind in "uib" and quantised is None:
        return "votes"
    if options.activation is not None:
        return options.activation
    if last is not None and last.op_type in _PROBABILITIES:
        return "none"
    if quantised is not None:
        planes = (planes.astype(np.float32) - quantised[1]) * quantised[0]
    low, high = float(planes.min()), float(planes.max())
    # Not that they add up to 1: of two sigmoids they do not, nor after rounding to 8 bits.
    if low >= -_TOLERANCE and high <= 1 + _TOLERANCE:
        return "none"
    if len(planes) > 1:
        return "softmax"
    if low >= 0 and (last is None or last.op_type not in _LINEAR):
        raise CheckpointError(
            f"{path}: its output `{output.name}` has values from {low:.4g} to {high:.4g}, neither "
            f"probabilities nor logits of them: export it without its last step, or say its "
            f"activation {where}"
        )
    return "sigmoid"
