"""`web`: a network in a page of its own, which works where it is looked at and nowhere else."""

import hashlib
import lzma
import shutil
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from pipelines.networks.names import check_trainable
from pipelines.pages.rendering import ASSETS
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.store import storage_message
from sinet.bundled import FOLDER as WEIGHTS
from sinet.convert import Agreement, convert, open_converted
from sinet.json_text import to_json
from sinet.network_ref import NetworkKind, NetworkRef

RUNTIME: Final = "onnxruntime-web 1.20.1"
"""From npm; its WebAssembly lies in the package at a sixth of its size."""

_RUNTIME_FILES: Final = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs")
_WASM: Final = "ort-wasm-simd-threaded.wasm"
_NOTICES: Final = "ThirdPartyNotices.txt"
"""Of ONNX Runtime, as it lies in its Python package, which is of the same source."""

_RESEARCH: Final = "its weights are for research use only"


@dataclass(frozen=True, kw_only=True)
class WebRequest:
    """What page to write.

    Attributes:
        out: folder to make; one that is there must be empty.
        network: resolved; weights of ours.
    """

    out: Path
    network: NetworkRef


@dataclass(frozen=True, kw_only=True)
class WebPage:
    """A page that was written.

    Attributes:
        path: of its folder, as requested.
        network: its label.
        width: of the network's input, in pixels.
        height: likewise.
        size_bytes: of all files.
        agreement: of the network in the page with PyTorch, on photographs.
    """

    path: Path
    network: str
    width: int
    height: int
    size_bytes: int
    agreement: Agreement


def write_web_page(request: WebRequest, progress: Progress = SILENT) -> WebPage:
    """Write the page, whole or not at all.

    Raises:
        ModelError: the network cannot be had, or is of a kind that cannot be exported.
        PipelineError: the folder holds files, or cannot be written.
        SINetError: as `sinet.convert.convert`.
    """
    out = request.out
    check_trainable(request.network, "web")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise PipelineError(f"{out}: is there already; name a folder that is not, or an empty one")
    if not out.absolute().parent.is_dir():
        raise PipelineError(f"{out}: there is no folder {out.parent}")
    progress.begin("converting", None, "networks")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.absolute().parent) as made:
            draft = Path(made) / "page"
            shutil.copytree(str(ASSETS / "web"), draft)
            shutil.copyfile(str(ASSETS / "page.css"), draft / "page.css")
            _write_runtime(draft / "onnxruntime")
            page = _write_network(request, draft)
            draft.replace(out)
    except OSError as error:
        raise PipelineError(storage_message(out, error)) from error
    return page


def _write_runtime(folder: Path) -> None:
    kept = ASSETS / "onnxruntime-web"
    folder.mkdir()
    for name in _RUNTIME_FILES:
        (folder / name).write_bytes((kept / name).read_bytes())
    (folder / _WASM).write_bytes(lzma.decompress((kept / f"{_WASM}.xz").read_bytes()))
    (folder / "LICENSE.txt").write_bytes((kept / "LICENSE").read_bytes())
    (folder / _NOTICES).write_bytes((files("onnxruntime") / _NOTICES).read_bytes())


def _write_network(request: WebRequest, folder: Path) -> WebPage:
    network, file = request.network, folder / "network.onnx"
    done = convert(network, file, "onnx-web")
    spec = open_converted(file).description.input
    is_ours = network.kind is NetworkKind.BUNDLED
    about = {
        "file": file.name,
        "name": network.label,
        "width": spec.width,
        "height": spec.height,
        "parameters": done.parameters,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "licence": _RESEARCH if is_ours else None,
    }
    (folder / "network.json").write_text(to_json(about, indent=2) + "\n", encoding="utf-8")
    if is_ours:
        shutil.copyfile(WEIGHTS / "LICENSE-WEIGHTS.txt", folder / "network.LICENSE.txt")
    return WebPage(
        path=request.out,
        network=network.label,
        width=spec.width,
        height=spec.height,
        size_bytes=sum(each.stat().st_size for each in folder.rglob("*") if each.is_file()),
        agreement=done.agreement,
    )
