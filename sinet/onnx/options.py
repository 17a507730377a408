"""What can be said of an ONNX network that its graph does not tell."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError

from sinet.errors import CheckpointError
from sinet.json_text import from_json

Activation = Literal["softmax", "sigmoid", "none"]
Triple = tuple[FiniteFloat, FiniteFloat, FiniteFloat]


@dataclass(frozen=True, kw_only=True, slots=True)
class OnnxOptions:
    """Overrides by whoever opens a file, and likewise what the file's metadata says; None: nothing.

    Attributes:
        input_height: of graphs of free size, in pixels.
        input_width: likewise.
        layout: of the input: (N, 3, H, W) or (N, H, W, 3).
        channel_order: of the input.
        mean: subtracted from pixel values in [0, 255], in the network's channel order.
        std: divided by, likewise.
        resize: how pictures are made smaller: `area` or `bilinear`, in floating point as in
            training; None: by halves, then bilinear, which is quickest without skipping pixels.
        output: name of the output that is taken.
        person_index: the person's channel, or the person's number in a map of classes.
        activation: what turns the output into probabilities; `none`: it has them.
    """

    input_height: Annotated[int, Field(gt=0)] | None = None
    input_width: Annotated[int, Field(gt=0)] | None = None
    layout: Literal["nchw", "nhwc"] | None = None
    channel_order: Literal["rgb", "bgr"] | None = None
    mean: Triple | None = None
    std: Triple | None = None
    resize: Literal["bilinear", "area"] | None = None
    output: str | None = None
    person_index: Annotated[int, Field(ge=0)] | None = None
    activation: Activation | None = None

    def over(self, other: "OnnxOptions") -> "OnnxOptions":
        """Return these options, and the other's where these say nothing."""
        said = {key: value for key, value in asdict(self).items() if value is not None}
        return OnnxOptions(**{**asdict(other), **said})


NAMES = tuple(field.name for field in fields(OnnxOptions))
_READER = TypeAdapter(OnnxOptions)


def from_metadata(metadata: Mapping[str, str], path: Path) -> OnnxOptions:
    """Read a file's metadata: keys are the options' names, values JSON or plain words.

    Raises:
        CheckpointError: a value is not what it should be.
    """
    found = {}
    for key in NAMES:
        if key in metadata:
            try:
                found[key] = from_json(metadata[key])
            except ValueError:
                found[key] = metadata[key]
    try:
        return _READER.validate_python(found)
    except ValidationError as error:
        problem = error.errors()[0]
        raise CheckpointError(
            f"{path}: its metadata: {problem['loc'][0]}: {problem['msg']}"
        ) from error
