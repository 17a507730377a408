"""What a converted file says of itself, so that it can be used without its checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from sinet.convert.problems import ConversionError, first_line
from sinet.json_text import to_json
from sinet.normalisation import InputSpec

INPUT_NAME: Final = "image"
OUTPUT_NAME: Final = "logit"
_KEY: Final = "sinet"


class Description(BaseModel):
    """Input and output of a converted network: (1, 3, H, W) to (1, channels, H, W).

    Attributes:
        network: name of the network it was made of.
        input: how pixels become its input; H and W are fixed.
        activation: what turns the output into probabilities; `none`: it has them.
        person_index: channel of the output that is the person.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    network: str
    input: InputSpec
    activation: Literal["sigmoid", "softmax", "none"]
    person_index: int

    def entries(self) -> dict[str, str]:
        """Return metadata as texts: JSON values of keys that ONNX teachers look for, and all."""
        spec = self.input
        values: dict[str, Any] = {
            "layout": "nchw",
            "channel_order": spec.channel_order,
            "mean": spec.mean,
            "std": spec.std,
            "resize": spec.resize,
            "person_index": self.person_index,
            "activation": self.activation,
        }
        texts = {key: to_json(value) for key, value in values.items()}
        return {**texts, _KEY: self.model_dump_json()}

    @classmethod
    def read(cls, entries: Mapping[str, str], path: Path) -> Self:
        """Read it back from metadata.

        Raises:
            ConversionError: there is none, or it is damaged.
        """
        if _KEY not in entries:
            raise ConversionError(f"{path}: not a file that `dataengine convert` made.")
        try:
            return cls.model_validate_json(entries[_KEY])
        except ValidationError as error:
            raise ConversionError(
                f"{path}: its metadata is damaged ({first_line(error)})."
            ) from error
