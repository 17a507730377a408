"""Any exported segmentation network as a teacher, through ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.networks.base import Image, Probability, sigmoid, softmax_channel, to_native
from pipelines.networks.onnx_layout import probe, read_layout
from pipelines.networks.onnx_tail import Enlargement, cut_enlargement, matches
from pipelines.pictures.resample import shrink
from pipelines.workspace.errors import ModelError
from pipelines.workspace.files import sha256_prefix
from pipelines.workspace.settings import OnnxSettings


class OnnxTeacher:
    """An ONNX network with 1, 2 or 21 output channels (others with `person_index` given)."""

    def __init__(self, path: Path, settings: OnnxSettings, device: str, threads: int = 1) -> None:
        """Load the network and find out how it is fed.

        Args:
            path: the .onnx file.
            settings: what overrides the model's own metadata.
            device: "cpu" or "cuda".
            threads: of ONNX Runtime within this process.

        Raises:
            ModelError: no such file, not an ONNX network, or a layout that cannot be understood.
        """
        if not path.is_file():
            raise ModelError(f"{path}: no such ONNX file; give --teacher onnx:FILE")
        self._session = _session(str(path), path, device, threads)
        self._input_name = self._session.get_inputs()[0].name
        self.layout = layout = read_layout(self._session, path, settings, self._raw_output)
        self._enlargement: Enlargement | None = None
        self._take_over_enlargement(path, device, threads)
        self._scale = np.float32(1) / np.asarray(layout.std, np.float32)
        self._offset = np.asarray(layout.mean, np.float32) * self._scale
        self.name = f"onnx:{path.name}@sha256:{sha256_prefix(path)}"

    def person_probability(self, batch: Sequence[Image]) -> list[Probability]:
        """See `Teacher.person_probability`. One image a run: batches gain nothing on a CPU."""
        return [to_native(self._probability(image), image) for image in batch]

    def _probability(self, image: Image) -> Probability:
        output = self._run(self._planes(self._resized(image)))
        person = self.layout.person_index
        if self.layout.activation != "softmax":  # the other classes do not matter
            output, person = output[person : person + 1], 0
        if self._enlargement:
            output = self._enlargement.sample(output)
        match self.layout.activation:
            case "softmax":
                return softmax_channel(output, person)
            case "sigmoid":
                return sigmoid(output[person])
            case "none":
                return np.asarray(np.clip(output[person], 0, 1), np.float32)

    def _resized(self, image: Image) -> Image:
        """As the network was trained, if its metadata tells how; small ones decide by a pixel."""
        size = (self.layout.width, self.layout.height)
        if self.layout.resize is None:
            return shrink(image, *size)
        enlarges = image.shape[0] < size[1] or image.shape[1] < size[0]
        area = self.layout.resize == "area" and not enlarges
        method = cv2.INTER_AREA if area else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)

    def _take_over_enlargement(self, path: Path, device: str, threads: int) -> None:
        """Enlarge the network's output here instead of in it, if that gives the same."""
        cut = cut_enlargement(path)
        if cut is None or self.layout.channels_last:
            return
        batch = probe(self.layout.height, self.layout.width, channels_last=False)
        whole, full = self._session, self._raw_output(batch)
        self._session = _session(cut[0], path, device, threads)
        enlargement = Enlargement(full.shape[1], full.shape[2], mode=cut[1])
        if matches(enlargement, self._raw_output(batch), full):
            self._enlargement = enlargement
        else:
            self._session = whole

    def _planes(self, image: Image) -> NDArray[np.float32]:
        """(H, W, 3) uint8 RGB in, (3, H, W) normalised in the model's channel order out."""
        planes = np.empty((3, *image.shape[:2]), np.float32)
        channels = cv2.split(image)
        for index, channel in enumerate(channels[::-1] if self.layout.bgr else channels):
            np.multiply(channel, self._scale[index], out=planes[index])
            planes[index] -= self._offset[index]
        return planes

    def _run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """(3, H, W) in, (C, h, w) out."""
        if not self.layout.channels_last:
            return self._raw_output(planes[None])
        output = self._raw_output(np.ascontiguousarray(planes.transpose(1, 2, 0)[None]))
        return output.transpose(2, 0, 1)

    def _raw_output(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(self._session.run(None, {self._input_name: batch})[0][0], np.float32)


def _session(model: str | bytes, path: Path, device: str, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    if device.startswith("cuda"):
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise ModelError(
                "onnxruntime here has no CUDA provider; install onnxruntime-gpu or use --device cpu"
            )
        providers.insert(0, "CUDAExecutionProvider")
    try:
        return onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:  # onnxruntime's exceptions share no public base class
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path}: not a network that ONNX Runtime can load ({reason})") from error
