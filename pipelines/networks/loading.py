"""From a network's name to a network that runs."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.networks.base import PersonTeacher, Teacher, TeacherModel
from pipelines.networks.downloading import named_by_auto
from pipelines.networks.mean import MeanTeacher
from pipelines.networks.names import (
    AUTO,
    CURRENT,
    FAKE,
    check_network,
    parse_network,
    parse_teacher,
)
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
    onnx: OnnxSettings | None = None,
) -> Teacher:
    """Load a network to ask it where there is a person.

    Args:
        network: by name; `sinet:current` has been resolved.
        device: `auto`, `cpu` or `cuda`.
        threads: of the runtime within this process, for ONNX.
        weights: a state dict for torchvision's networks; None: downloaded once.
        onnx: what overrides an ONNX file's metadata; None: nothing does.

    Raises:
        ModelError: weights that cannot be had or do not fit, or no such device.
    """
    check_network(network, weights)
    if network.kind is NetworkKind.NAMED:
        return _named(network.name, device, weights)
    model = _model(network, device, threads, onnx)
    name = f"{network.recorded}@sha256:{sha256_prefix(network.weights())}"
    if taken := _taken(model, network):
        name += f"#{taken.name}"  # which of them made a mask
    return PersonTeacher(model, name)


def load_person_model(
    network: NetworkRef,
    *,
    device: str = "auto",
    threads: int = 1,
    onnx: OnnxSettings | None = None,
) -> PersonModel:
    """Load a network for `evaluate` and `predict`.

    Args:
        network: by name; `sinet:current` has been resolved.
        device: `auto`, `cpu` or `cuda`.
        threads: of the runtime within this process, for ONNX.
        onnx: what overrides an ONNX file's metadata; None: nothing does.

    Raises:
        ModelError: as `load_network`.
    """
    check_network(network)
    if network.kind is NetworkKind.NAMED:
        named = _named(network.name, device, None)
        return TeacherModel(named, named.parameters)
    return _model(network, device, threads, onnx)


def _model(
    network: NetworkRef, device: str, threads: int, onnx: OnnxSettings | None
) -> PersonModel:
    """Load what has a file; PyTorch only for checkpoints."""
    try:
        if network.kind is NetworkKind.ONNX:
            from sinet.onnx.model import OnnxModel
            from sinet.onnx.options import OnnxOptions

            return OnnxModel(
                network.weights(),
                OnnxOptions(**onnx.model_dump()) if onnx else None,
                device=choose_device(device, "onnxruntime"),
                threads=threads,
                where=_WHERE_SETTINGS if onnx else "in its metadata",
            )
        from sinet.checkpoint import load_model

        model = load_model(network)
        model.network.to(choose_device(device))
    except SINetError as error:
        raise ModelError(str(error)) from error
    return model


def _named(name: str, device: str, weights: Path | None) -> "FakeTeacher | TorchvisionTeacher":
    """Load what is known by a name alone."""
    if name == CURRENT:
        raise ModelError(f"{CURRENT}: only a workspace knows which network that is")
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
    """`load_network` for what the settings name as the teacher; of several, their mean.

    Raises:
        ModelError: an unknown name, or as there.
    """
    weights = (settings.weights and Path(settings.weights)) or None
    members = [
        load_network(each, device=device, threads=threads, weights=weights, onnx=settings.onnx)
        for each in parse_teacher(settings.name)
    ]
    return members[0] if len(members) == 1 else MeanTeacher(members)


def overrides(settings: TeacherSettings, network: NetworkRef) -> OnnxSettings | None:
    """What `[teacher.onnx]` says of a network that any command names; None: it is about another.

    It is about the settings' teacher; where that is no exported network, about any that is.

    Raises:
        ModelError: the settings name a teacher that is none.
    """
    exported = [each for each in parse_teacher(settings.name) if each.kind is NetworkKind.ONNX]
    if network.kind is not NetworkKind.ONNX:
        return None
    if exported and network.weights().resolve() not in (
        each.weights().resolve() for each in exported
    ):
        return None
    return settings.onnx


def notes(model: PersonModel, network: NetworkRef) -> list[str]:
    """What a user should know of how a network is used, a line each."""
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
    teacher = parse_teacher(settings.name)
    for network in teacher:
        check_network(network, weights)
    exported = [each for each in teacher if each.kind is NetworkKind.ONNX]
    if len(exported) > 1 and settings.onnx != OnnxSettings():
        raise ModelError(
            f"[teacher.onnx] is about one exported network, and {settings.name} names "
            f"{len(exported)}: write what it says into the files' metadata instead"
        )
    if settings.second_opinion is not None:
        check_network(parse_network(settings.second_opinion))
