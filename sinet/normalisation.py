"""How pixels become a network's input: a property of the weights, never of the caller."""

from typing import TYPE_CHECKING, Final, Literal, Self

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from torch import Tensor

Resize = Literal["bilinear", "area"]
_INTERPOLATIONS: Final = {"bilinear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}


def resized(
    rgb: npt.NDArray[np.uint8], height: int, width: int, method: Resize
) -> npt.NDArray[np.float32]:
    """Resize uint8 (H, W, 3) to float32 (height, width, 3), still 0..255.

    In floating point, as the SINet authors do, who normalise first.
    """
    interpolation = _INTERPOLATIONS[method]
    if rgb.shape[0] < height or rgb.shape[1] < width:
        interpolation = cv2.INTER_LINEAR  # enlarging by `area` repeats pixels
    found = cv2.resize(rgb.astype(np.float32), (width, height), interpolation=interpolation)
    return np.asarray(found, np.float32)


class InputSpec(BaseModel):
    """What a network expects of its input; part of every checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    channel_order: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] = Field(
        default=(123.675, 116.28, 103.53),
        description="Subtracted, in `channel_order`, on the scale 0..255.",
    )
    std: tuple[float, float, float] = Field(
        default=(58.395, 57.12, 57.375), description="Divided by, likewise."
    )
    height: int = Field(default=224, ge=32, description="Pixels an image is resized to.")
    width: int = Field(default=224, ge=32)
    resize: Resize = Field(
        default="area",
        description="How images are resized; `area` averages where it shrinks.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if min(self.std) <= 0:
            raise ValueError("std must be above 0 in every channel")
        return self

    def resized(self, rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Resize uint8 (H, W, 3) RGB to float32 (height, width, 3), still 0..255 and RGB."""
        return resized(rgb, self.height, self.width, self.resize)

    def normalise(self, rgb: "Tensor") -> "Tensor":
        """Map RGB pixels 0..255, any dtype, (N, 3, H, W), to the network's float32 input."""
        import torch

        pixels = rgb.float()
        if self.channel_order == "bgr":
            pixels = pixels.flip(1)
        shape = (1, 3, 1, 1)
        mean = torch.tensor(self.mean, device=pixels.device).view(shape)
        std = torch.tensor(self.std, device=pixels.device).view(shape)
        return (pixels - mean) / std

    def planes(self, rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Turn one uint8 (H, W, 3) RGB image into the network's input (1, 3, height, width)."""
        planes = self.resized(rgb).transpose(2, 0, 1)
        if self.channel_order == "bgr":
            planes = planes[::-1]
        mean, std = (np.array(each, np.float32).reshape(3, 1, 1) for each in (self.mean, self.std))
        return np.ascontiguousarray(((planes - mean) / std)[None])

    def prepare(self, rgb: npt.NDArray[np.uint8]) -> "Tensor":
        """As `planes`, for PyTorch."""
        import torch

        return torch.from_numpy(self.planes(rgb))
