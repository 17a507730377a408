"""Detector and teacher of one worker, loaded when they are first needed."""

import functools

from pipelines.networks import Teacher, load_network, load_teacher, second_opinion
from pipelines.pictures.detect import FaceDetector, load_detector
from pipelines.work.crew import limit_torch_threads
from pipelines.workspace.errors import ModelError
from pipelines.workspace.settings import Settings
from sinet.devices import choose_device
from sinet.errors import DeviceError


class Models:
    """What a worker sees with."""

    def __init__(self, settings: Settings, threads: int) -> None:
        """Remember what to load.

        Args:
            settings: detector, teacher and device.
            threads: of the numerical libraries within this process.
        """
        self._settings = settings
        self._threads = threads

    @functools.cached_property
    def device(self) -> str:
        """``cpu`` or ``cuda``.

        Raises:
            ModelError: CUDA was asked for and is not there.
        """
        if self._is_fake:
            return "cpu"
        try:
            return choose_device(self._settings.engine.device)
        except DeviceError as error:
            raise ModelError(str(error)) from error

    @functools.cached_property
    def detector(self) -> FaceDetector:
        """Finds faces."""
        threads = 1 if self.decoding_threads > 1 else self._threads
        return load_detector(self._settings.detector, threads)

    @functools.cached_property
    def teacher(self) -> Teacher:
        """Proposes masks."""
        settings = self._settings
        return self._bounded(load_teacher(settings.teacher, settings.engine.device, self._threads))

    @functools.cached_property
    def second_opinion(self) -> Teacher | None:
        """Says how far another network is from the teacher's mask; None: nobody was asked for."""
        network = second_opinion(self._settings.teacher)
        if network is None:
            return None
        device = self._settings.engine.device
        return self._bounded(load_network(network, device=device, threads=self._threads))

    @property
    def decoding_threads(self) -> int:
        """Threads that decode and judge beside a network on a GPU; one where it is on the CPU."""
        return self._threads if self.device == "cuda" else 1

    @property
    def batch_size(self) -> int:
        """Images or portraits a batch; small on a CPU, where the last batch is waited for."""
        if self._settings.engine.batch_size is not None:
            return self._settings.engine.batch_size
        # With views a teacher gets four pictures a portrait in one call.
        large = 8 if self._settings.teacher.views else 32
        return 4 if self.device == "cpu" else large

    @property
    def _is_fake(self) -> bool:
        return self._settings.detector.name == "fake" and self._settings.teacher.name == "fake"

    def _bounded(self, teacher: Teacher) -> Teacher:
        limit_torch_threads(self._threads)
        return teacher
