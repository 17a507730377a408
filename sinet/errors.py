"""Everything `sinet` raises on purpose.

SINetError               base: one line for the user, exit code 1
├── CheckpointError      a file of weights cannot be read or belongs to another network
├── DataError            an image, a mask or a list of them is missing or does not fit
│   └── PictureError     one file cannot be read as a picture or as a mask, with a reason
├── DeviceError          the device asked for is not there
├── NetworkOutputError   a network's answer to one picture is of no use: NaN, outside 0..1, never
├── NetworkError         no such network or option, or an image that the network cannot take
├── ConfigError          the training configuration contradicts itself, its data or its run
└── TrainingError        the training cannot go on: a loss that is not a number
"""


class SINetError(Exception):
    """Base of this package's errors; the message says what, where and what to do."""


class CheckpointError(SINetError):
    """A file of weights cannot be read, is cut off, or belongs to another network."""


class DataError(SINetError):
    """An image, a mask or a list of them is missing, broken, or does not fit the others."""


class DeviceError(SINetError):
    """The device asked for is not there."""


class PictureError(DataError):
    """A file cannot be read as a picture, or as a mask.

    Attributes:
        reason: a stable machine-readable code: `empty_file`, `not_an_image`, `too_many_pixels`,
            `too_much_memory`, `truncated`, `decode_failed`, or one of a mask's, which start with
            `mask_`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type["PictureError"], tuple[str, str]]:
        """From one process to another it goes with both."""
        return type(self), (self.reason, str(self))


class NetworkOutputError(SINetError):
    """A network failed on a picture, or its answer is no probability: NaN, not in 0..1."""


class NetworkError(SINetError):
    """There is no such network or option, or it cannot take an image or a batch."""


class ConfigError(SINetError):
    """The training configuration contradicts itself, its data, or the run it continues."""


class TrainingError(SINetError):
    """The training cannot go on."""
