"""Read the SINet authors' checkpoint (clovaai/ext_portrait_segmentation, MIT).

Their model was trained on blue-green-red images of which the mean was subtracted, that were divided
by the standard deviation and once more by 255; `OFFICIAL_INPUT` says so.
"""

import pickle
import re
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from sinet.errors import CheckpointError
from sinet.networks.sinet import SINet
from sinet.normalisation import InputSpec

OFFICIAL_INPUT: Final = InputSpec(
    channel_order="bgr",
    mean=(107.304565, 115.69884, 132.35703),
    std=(63.97182 * 255, 65.1337 * 255, 68.29726 * 255),
    height=224,
    width=224,
    resize="bilinear",
)
"""Means and deviations in the order blue, green, red, on the scale 0..255."""

_ENTRIES: Final = 393

# Their names of a layer, ours; applied from the left of a name to the right.
_RENAMES: Final = (
    (r"^encoder\.level1\.conv\.", "encoder.stem.convolution."),
    (r"^encoder\.level1\.(bn|act)\.", r"encoder.stem.post.\1."),
    (r"^encoder\.level2_0\.", "encoder.to_quarter."),
    (r"^encoder\.level3_0\.", "encoder.to_eighth."),
    (r"^encoder\.level2\.", "encoder.quarter."),
    (r"^encoder\.level3\.", "encoder.eighth."),
    (r"^encoder\.BR2\.", "encoder.join_quarter."),
    (r"^encoder\.BR3\.", "encoder.join_eighth."),
    (r"^encoder\.classifier\.conv\.", "encoder.classifier."),
    (r"^(encoder\.to_\w+)\.conv\.0\.", r"\1.depthwise."),
    (r"^(encoder\.to_\w+)\.conv\.1\.dense\.", r"\1.gate.gate."),
    (r"^(encoder\.to_\w+)\.conv\.2\.", r"\1.pointwise."),
    (r"^(encoder\.to_\w+)\.(bn|act)\.", r"\1.post.\2."),
    (r"\.c1\.conv\.", ".reduce."),
    (r"\.d1\.", ".first."),
    (r"\.d2\.", ".second."),
    (r"\.BR\.", ".post."),
    (r"\.(first|second)\.conv\.0\.", r".\1.depthwise."),
    (r"\.(first|second)\.conv\.1\.", r".\1.inner.norm."),
    (r"\.act_conv1x1\.0\.", ".inner.activation."),
    (r"\.act_conv1x1\.1\.", ".pointwise."),
    (r"^level2_C\.conv\.", "skip.convolution."),
    (r"^level2_C\.(bn|act)\.", r"skip.post.\1."),
    (r"^bn_3\.", "coarse_norm."),
    (r"^bn_2\.", "fine_norm."),
    (r"^classifier\.1\.", "classifier."),
    (r"\.bn\.", ".norm."),
    (r"\.act\.", ".activation."),
)


def load_official(path: Path | str) -> SINet:
    """Return the authors' network, in evaluation mode; feed it as `OFFICIAL_INPUT` says.

    Args:
        path: `SINet.pth`, 393 entries, 2 classes. Only tensors are read from it, no code.

    Raises:
        CheckpointError: the file is missing, broken, or another network's.
    """
    path = Path(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}).") from error
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path}: broken or cut off, or no PyTorch checkpoint: fetch it again."
        ) from error
    if not isinstance(state, dict) or not all(
        isinstance(value, Tensor) for value in state.values()
    ):
        raise CheckpointError(f"{path}: not the authors' checkpoint: it holds more than weights.")
    network = SINet(classes=2)
    renamed = {official_to_own(name): value for name, value in state.items()}
    own = network.state_dict()
    if len(state) != _ENTRIES or renamed.keys() != own.keys():
        raise CheckpointError(
            f"{path}: another network: {len(state)} entries, the authors' SINet has {_ENTRIES}."
        )
    wrong = [name for name, value in renamed.items() if value.shape != own[name].shape]
    if wrong:
        raise CheckpointError(
            f"{path}: `{wrong[0]}` has shape {tuple(renamed[wrong[0]].shape)} instead of "
            f"{tuple(own[wrong[0]].shape)}: the network has another number of classes or channels."
        )
    network.load_state_dict(renamed)
    return network.eval()


def official_to_own(name: str) -> str:
    """Return our name of an entry of the authors' checkpoint."""
    for pattern, replacement in _RENAMES:
        name = re.sub(pattern, replacement, name)
    return name
