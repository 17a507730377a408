"""The names of networks that a workspace and torchvision add to those of `sinet`."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from pipelines.networks import mediapipe_selfie
from pipelines.workspace.errors import ModelError
from pipelines.workspace.settings import Settings, TeacherSettings
from sinet.errors import SINetError
from sinet.network_ref import PREFIXES, TRAINABLE, VIEWS, NetworkRef, mean_of, parse

CURRENT: Final = "sinet:current"
"""The student that was promoted last; only a workspace knows which, see `resolve`."""

AUTO: Final = "auto"
"""The best of torchvision's that the device can bear."""

TORCHVISION: Final = (
    "deeplabv3_resnet50",
    "deeplabv3_resnet101",
    "deeplabv3_mobilenet_v3_large",
)
MEDIAPIPE: Final = "mediapipe"
"""MediaPipe's selfie segmentation: a file of another package, and run as exported networks are."""

FAKE: Final = "fake"
"""Needs no weights; for tests of everything else."""

NOBODY: Final = "none"
"""For a second opinion: nobody is asked."""


def parse_network(text: str) -> NetworkRef:
    """Understand what a user wrote where a network is wanted; looks at no file.

    Several with commas between them stand for their mean; `views:` before one asks it about views
    of the image, too.

    Raises:
        ModelError: nothing of that name is known; the message lists what is, and the nearest. Or a
            mean takes a network twice.
    """
    names = [each.strip() for each in text.split(",")]
    known = (AUTO, *TORCHVISION, MEDIAPIPE, CURRENT)
    try:
        networks = [
            replace(
                parse(name.removeprefix(VIEWS), known, unlisted=(FAKE,)),
                views=name.startswith(VIEWS),
            )
            for name in names
        ]
    except SINetError as error:
        of_mean = f"{text}: a comma stands between the networks of a mean; " if names[1:] else ""
        raise ModelError(f"{of_mean}{error}") from error
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ModelError(f"{text}: {twice} is there twice: a mean takes different networks")
    return mean_of(networks)


def second_opinion(settings: TeacherSettings) -> NetworkRef | None:
    """Who is asked beside the teacher; None: nobody is to be, or only the teacher itself.

    Of several those are asked that are not among the teachers: a network's opinion of its own masks
    says nothing.

    Raises:
        ModelError: as `parse_network`.
    """
    if settings.second_opinion == NOBODY:
        return None
    teachers = [replace(each, views=False) for each in parse_network(settings.name).each]
    others = [
        each
        for each in parse_network(settings.second_opinion).each
        if replace(each, views=False) not in teachers
    ]
    return mean_of(others) if others else None


def whole_name(network: NetworkRef) -> str:
    """Name a network so that it means the same in every folder: files by their whole paths."""
    prefixes = {kind: prefix for prefix, kind in PREFIXES.items()}
    return ",".join(
        str(replace(each, name=f"{prefixes[each.kind]}:{each.file.absolute()}"))
        if each.file is not None and each.kind in prefixes
        else str(each)
        for each in network.each
    )


def with_whole_paths(settings: Settings) -> Settings:
    """What the settings say of networks, so that it means the same in every folder."""
    teacher = settings.teacher
    second = second_opinion(teacher)
    changed = {
        "name": whole_name(parse_network(teacher.name)),
        "weights": teacher.weights and str(Path(teacher.weights).absolute()),
        "second_opinion": whole_name(second) if second else NOBODY,
    }
    return settings.model_copy(update={"teacher": teacher.model_copy(update=changed)})


def check_network(network: NetworkRef, weights: Path | None = None) -> None:
    """Find the mistakes that can be found without loading anything.

    Args:
        network: to be loaded.
        weights: a state dict of torchvision's; None: its own are downloaded.

    Raises:
        ModelError: a missing file or package, or weights for a network that has its own.
    """
    for each in network.each:
        if each.name == MEDIAPIPE:
            mediapipe_selfie.check_installed()
        if each.file is not None:
            try:
                each.weights()
            except SINetError as error:
                raise ModelError(str(error)) from error
        if weights is not None and each.name not in (AUTO, *TORCHVISION):
            raise ModelError(
                f"--teacher-weights is for torchvision's networks, not for {each.name}"
            )
    if weights is not None and not weights.is_file():
        raise ModelError(f"{weights}: no such file; --teacher-weights wants a state dict")


def check_trainable(network: NetworkRef, place: str) -> None:
    """As `check_network`, where only a network of `sinet` with its weights will do.

    Args:
        network: to start from, or to export.
        place: as users know it, such as `--init`.

    Raises:
        ModelError: it is of another kind, the message says which fit; or its file is missing.
    """
    try:
        network.must_be(TRAINABLE, place, names=(CURRENT,))
    except SINetError as error:
        raise ModelError(str(error)) from error
    check_network(network)
