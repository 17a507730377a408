"""An exported network as a model: any ONNX file whose output is a map of the person."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sinet.devices import Device
from sinet.errors import CheckpointError, NetworkOutputError
from sinet.onnx.enlargement import CutNetwork, Enlargement, cut_enlargement, matches
from sinet.onnx.feeding import InputLayout, possible_inputs
from sinet.onnx.graph import read_graph, with_output
from sinet.onnx.options import OnnxOptions, from_metadata
from sinet.onnx.reading import OutputLayout, read_output
from sinet.onnx.session import TIME_LIMIT_S, Session

# One picture with structure, whose answer shows what the output's values are.
_PROBE: Final = np.random.default_rng(0).integers(0, 256, (513, 513, 3), np.uint8)


class OnnxModel:
    """A network in ONNX Runtime; satisfies `PersonModel`.

    What is said by `options` comes first, then the file's metadata, then what the graph and a probe
    tell. Without any word, pixels are RGB in [-1, 1], made smaller by halves, then bilinear; the
    person is channel 0 of 1, 1 of 2 or 15 of 21; values that stay within [0, 1] are probabilities.

    Attributes:
        path: of the file.
        input: how it is fed.
        output: what is taken of its answer.
    """

    def __init__(
        self,
        path: Path,
        options: OnnxOptions | None = None,
        *,
        device: Device = "cpu",
        threads: int = 1,
        whole: bool = False,
        time_limit_s: float = TIME_LIMIT_S,
        where: str = "in its metadata",
        resolution: int | None = None,
    ) -> None:
        """Load the network and find out how it is fed and read.

        Args:
            path: the .onnx file.
            options: what overrides the file's metadata.
            device: where it runs.
            threads: of ONNX Runtime within this process, for one run; 0: one a core.
            whole: run its last step, too, where that is an enlargement that is cheaper done here.
            time_limit_s: for one picture.
            where: options can be said, for messages.
            resolution: height and width of the input of a graph of free size; None: as the options,
                the metadata or the graph say.

        Raises:
            CheckpointError: missing, cut off, no network, or one that is not understood, or not of
                that resolution.
        """
        if not path.is_file():
            raise CheckpointError(f"{path}: no such ONNX file.")
        self.path = path
        self._session = Session(path, path, device, threads, time_limit_s)
        said = (options or OnnxOptions()).over(from_metadata(self._session.metadata, path))
        if resolution is not None:
            said = OnnxOptions(input_height=resolution, input_width=resolution).over(said)
        self.input, raw = self._probed(said)
        if resolution is not None and (self.input.height, self.input.width) != (resolution,) * 2:
            raise CheckpointError(
                f"{path}: takes images of {self.input.width} × {self.input.height} pixels and of "
                "no other size; --resolution is for checkpoints and exported networks of free size."
            )
        graph = read_graph(path)

        def inner(name: str) -> npt.NDArray[Any]:
            opened = Session(with_output(graph, name), path, device, threads, time_limit_s)
            return opened.run(self.input.feed(_PROBE), [name])[0]

        self.output: OutputLayout = read_output(raw, self.input, said, graph, inner, path, where)
        self._taken = self.output.name
        self._enlargement: Enlargement | None = None
        if not whole and self.output.view.is_plain and raw[self.output.name].dtype == np.float32:
            full = raw[self.output.name]
            if cut := cut_enlargement(graph, self.output.name):
                shorter = Session(cut.model, path, device, threads, time_limit_s)
                self._take_over(shorter, cut, full)

    @property
    def parameters(self) -> int:
        """Number of weights in the file; what was folded into others is not counted."""
        import onnx

        kinds = onnx.TensorProto
        counted = {kinds.FLOAT, kinds.FLOAT16, kinds.DOUBLE, kinds.INT8, kinds.UINT8}
        graph = read_graph(self.path).graph
        return sum(
            int(np.prod(tensor.dims)) for tensor in graph.initializer if tensor.data_type in counted
        )

    def person_at_input(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """See `PersonModel.person_at_input`.

        Raises:
            NetworkOutputError: the network failed, did not end, or answers no probability.
        """
        raw = self._session.run(self.input.feed(image), [self._taken])[0]
        try:
            return self.output.person(raw, self._enlargement)
        except NetworkOutputError as error:
            raise NetworkOutputError(f"{self.path}: {error}") from None

    def people_at_input(
        self, images: Sequence[npt.NDArray[np.uint8]]
    ) -> list[npt.NDArray[np.float32]]:
        """As `person_at_input` for several: one a run, since batches gain nothing on a CPU."""
        return [self.person_at_input(image) for image in images]

    def infer(self, planes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run the network alone: its input, as `input.feed` makes it, to its output."""
        return np.asarray(self._session.run(planes, [self._taken])[0], np.float32)

    def _probed(self, said: OnnxOptions) -> tuple[InputLayout, dict[str, npt.NDArray[Any]]]:
        """The first way of feeding it that works, with all outputs for the probe."""
        failure: NetworkOutputError | None = None
        for layout in possible_inputs(self._session, said, self.path):
            names = self._session.outputs
            try:
                raw = self._session.run(layout.feed(_PROBE), names)
            except NetworkOutputError as error:
                failure = failure or error
                continue
            return layout, dict(zip(names, raw, strict=True))
        raise CheckpointError(
            f"{self.path}: cannot be fed one picture of 3 channels; its input is "
            f"{self._session.wanted} ({failure})"
        ) from failure

    def _take_over(self, shorter: Session, cut: CutNetwork, full: npt.NDArray[Any]) -> None:
        """Enlarge the network's output here instead of in it, if that gives the same."""
        small = shorter.run(self.input.feed(_PROBE), [cut.output])[0]
        enlargement = Enlargement(full.shape[2], full.shape[3], mode=cut.mode)
        if matches(enlargement, small[0], full[0]):
            self._session, self._taken, self._enlargement = shorter, cut.output, enlargement
