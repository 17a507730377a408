"""From a network's name to a network that runs."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.networks import mediapipe_selfie
from pipelines.networks.base import PersonTeacher, Teacher, TeacherModel
from pipelines.networks.downloading import named_by_auto
from pipelines.networks.mean import MeanModel, MeanTeacher
from pipelines.networks.names import (
    AUTO,
    CURRENT,
    FAKE,
    MEDIAPIPE,
    check_network,
    parse_network,
    second_opinion,
)
from pipelines.networks.views import ViewedModel, ViewedTeacher
from pipelines.workspace.errors import ModelError
from pipelines.workspace.files import sha256_prefix
from pipelines.workspace.settings import OnnxSettings, TeacherSettings
from sinet.devices import choose_device
from sinet.errors import SINetError
from sinet.network_ref import NetworkKind, NetworkRef
from sinet.predict import PersonModel

if TYPE_CHECKING:
    from pipelines.networks.fake import FakeTeacher
    from pipelines.networks.torchvision_deeplab import TorchvisionTeacher
    from sinet.onnx.reading import OutputLayout

_WHERE_SETTINGS = "under [teacher.onnx] in dataengine.toml or in its metadata"


def load_network(
    network: NetworkRef,
    *,
    device: str = "auto",
    threads: int = 1,
    weights: Path | None = None,
    settings: TeacherSettings | None = None,
) -> Teacher:
    """Load a network, its views, or several as their mean, to ask where there is a person.

    Args:
        network: by name; `sinet:current` has been resolved.
        device: `auto`, `cpu` or `cuda`.
        threads: of the runtime within this process, for ONNX.
        weights: a state dict for torchvision's networks; None: downloaded once.
        settings: of the workspace: `[teacher.onnx]` in them overrides an exported network's
            metadata, see `overrides`; None: nothing does.

    Raises:
        ModelError: weights that cannot be had or do not fit, or no such device.
    """
    check_network(network, weights)
    onnx = overrides(settings, network)
    members = [_teacher(each, device, threads, weights, onnx.get(each)) for each in network.each]
    return members[0] if len(members) == 1 else MeanTeacher(members)


def _teacher(
    network: NetworkRef,
    device: str,
    threads: int,
    weights: Path | None,
    onnx: OnnxSettings | None,
) -> Teacher:
    if network.views:
        plain = replace(network, views=False)
        return ViewedTeacher(_teacher(plain, device, threads, weights, onnx))
    if network.kind is NetworkKind.NAMED and network.name != MEDIAPIPE:
        return _named(network, device, weights)
    model = _model(network, device, threads, onnx)
    name = f"{network.recorded}@sha256:{_digest(network)}"
    if taken := _taken(model, network):
        name += f"#{taken.name}"  # which of them made a mask
    return PersonTeacher(model, name)


def load_person_model(
    network: NetworkRef,
    *,
    device: str = "auto",
    threads: int = 1,
    settings: TeacherSettings | None = None,
) -> PersonModel:
    """Load a network, its views, or several as their mean, for `evaluate` and `predict`.

    Args:
        network: by name; `sinet:current` has been resolved.
        device: `auto`, `cpu` or `cuda`.
        threads: of the runtime within this process, for ONNX.
        settings: as for `load_network`.

    Raises:
        ModelError: as `load_network`.
    """
    check_network(network)
    onnx = overrides(settings, network)
    members = [_person_model(each, device, threads, onnx.get(each)) for each in network.each]
    return members[0] if len(members) == 1 else MeanModel(members)


def _person_model(
    network: NetworkRef, device: str, threads: int, onnx: OnnxSettings | None
) -> PersonModel:
    if network.views:
        return ViewedModel(_person_model(replace(network, views=False), device, threads, onnx))
    if network.kind is NetworkKind.NAMED and network.name != MEDIAPIPE:
        named = _named(network, device, None)
        return TeacherModel(named, named.parameters)
    return _model(network, device, threads, onnx)


def _model(
    network: NetworkRef, device: str, threads: int, onnx: OnnxSettings | None
) -> PersonModel:
    """Load what has a file; PyTorch only for checkpoints."""
    try:
        if network.kind is NetworkKind.ONNX or network.name == MEDIAPIPE:
            from sinet.onnx.model import OnnxModel
            from sinet.onnx.options import OnnxOptions

            return OnnxModel(
                mediapipe_selfie.fetched() if network.name == MEDIAPIPE else network.weights(),
                OnnxOptions(**onnx.model_dump()) if onnx else None,
                device=choose_device(device, "onnxruntime"),
                threads=threads,
                where=_WHERE_SETTINGS if onnx else "in its metadata",
                resolution=network.resolution,
            )
        from sinet.checkpoint import load_model

        model = load_model(network)
        model.network.to(choose_device(device))
    except SINetError as error:
        raise ModelError(str(error)) from error
    return model


def _digest(network: NetworkRef) -> str:
    """Of the weights, as it is recorded; of MediaPipe's network that of its own file."""
    if network.name == MEDIAPIPE:
        return mediapipe_selfie.SHA256[:16]
    return sha256_prefix(network.weights())


def _named(
    network: NetworkRef, device: str, weights: Path | None
) -> "FakeTeacher | TorchvisionTeacher":
    """Load what is known by a name alone."""
    name = network.name
    if name == CURRENT:
        raise ModelError(f"{CURRENT}: only a workspace knows which network that is")
    if network.resolution is not None:
        raise ModelError(
            f"{name}: has its own way of choosing the size of its input; --resolution is for "
            "checkpoints and exported networks of free size"
        )
    if name == FAKE:
        from pipelines.networks.fake import FakeTeacher

        return FakeTeacher()
    from pipelines.networks.torchvision_deeplab import TorchvisionTeacher

    try:
        where = choose_device(device)
    except SINetError as error:
        raise ModelError(str(error)) from error
    return TorchvisionTeacher(named_by_auto(where) if name == AUTO else name, weights, where)


def load_teacher(settings: TeacherSettings, device: str, threads: int = 1) -> Teacher:
    """`load_network` for what the settings name as the teacher.

    Raises:
        ModelError: an unknown name, or as there.
    """
    weights = (settings.weights and Path(settings.weights)) or None
    network = parse_network(settings.name)
    return load_network(network, device=device, threads=threads, weights=weights, settings=settings)


def overrides(
    settings: TeacherSettings | None, network: NetworkRef
) -> dict[NetworkRef, OnnxSettings]:
    """What `[teacher.onnx]` says of the networks that any command names, of those it is about.

    It is about the settings' teacher; where that is no exported network, about any that is.

    Args:
        settings: of the workspace; None: there are none.
        network: or several, as their mean.

    Raises:
        ModelError: the settings name a teacher that is none, or speak of one exported network where
            a mean has two.
    """
    if settings is None:
        return {}
    found = [each for each in network.each if each.kind is NetworkKind.ONNX]
    of_teacher = [
        each.file and each.file.resolve()
        for each in parse_network(settings.name).each
        if each.kind is NetworkKind.ONNX
    ]
    if of_teacher:
        found = [each for each in found if each.file and each.file.resolve() in of_teacher]
    if len(found) > 1 and settings.onnx != OnnxSettings():
        raise ModelError(
            f"[teacher.onnx] is about one exported network, and {network} names "
            f"{len(found)}: write what it says into the files' metadata instead"
        )
    return dict.fromkeys(found, settings.onnx)


def notes(model: PersonModel, network: NetworkRef) -> list[str]:
    """What a user should know of how a network is used, a line each."""
    if isinstance(model, MeanModel):
        pairs = zip(model.members, network.each, strict=True)
        return [note for member, each in pairs for note in notes(member, each)]
    if isinstance(model, ViewedModel):
        return notes(model.model, replace(network, views=False))
    taken = _taken(model, network)
    if taken is None:
        return []
    others = ", ".join(f"`{name}`" for name in taken.others)
    return [f"{network.label}: its output `{taken.name}` is taken, not {others}"]


def _taken(model: PersonModel, network: NetworkRef) -> "OutputLayout | None":
    """The output of an exported network that has several."""
    if network.kind is not NetworkKind.ONNX:
        return None
    from sinet.onnx.model import OnnxModel

    assert isinstance(model, OnnxModel)  # by its kind
    return model.output if model.output.others else None


def check_teacher(settings: TeacherSettings) -> None:
    """`check_network` for the settings' teachers, and for the second opinion if one is wanted.

    Raises:
        ModelError: an unknown name, or as there.
    """
    weights = Path(settings.weights) if settings.weights else None
    teacher = parse_network(settings.name)
    check_network(teacher, weights)
    overrides(settings, teacher)
    if (asked := second_opinion(settings)) is not None:
        check_network(asked)
