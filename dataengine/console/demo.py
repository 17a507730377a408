"""`demo` on a console: a small crawl, the bundled networks, and where to look."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import typer
from PIL import Image, ImageOps

from dataengine.console.ingest import run_ingest
from db import reader
from pipelines.ingest import IngestRequest
from pipelines.networks import load_teacher
from pipelines.portraits.listing import list_portraits
from pipelines.portraits.picture import save_picture
from pipelines.rounds.relabel import Method, Relabelled, outdated, relabel
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.settings import TeacherSettings
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.store import storage_message
from pipelines.workspace.workspace import Workspace

_TEACHER, _SECOND = "bundled", "sinet:bundled"
# In the public domain and inside the wheels: Eileen Collins and Grace Hopper, and no portraits.
_PORTRAIT, _OTHER_PORTRAIT = "astronaut.png", "grace_hopper.jpg"
_NO_PORTRAITS = ("chelsea.png", "coffee.png", "hubble_deep_field.jpg", "rocket.jpg")
_TOGETHER_HEIGHT_PX = 600


def run_demo(root: Path) -> bool:
    """Make a crawl, ingest it, refine its masks and draw them; True if it was interrupted.

    Run again it goes on where it was, and does nothing twice.

    Args:
        root: folder of the workspace; the crawl is its `crawl`, the pictures its `pictures`.

    Raises:
        WorkspaceError: the folder cannot be written.
        PipelineError: as `ingest`.
    """
    crawl = root / "crawl"
    _make_crawl(crawl)
    typer.echo(f"Made a crawl of {len(list(crawl.iterdir()))} files in {crawl}", err=True)
    settings = load_settings(root, {"teacher": {"name": _TEACHER}})
    if run_ingest(root, settings, IngestRequest([crawl]), as_json=False):
        return True
    workspace = Workspace(root, settings)
    try:
        second = load_teacher(TeacherSettings(name=_SECOND), "cpu")
        todo = outdated(workspace, second.name, Method.MEAN)
        relabelled = list(relabel(workspace, second, todo))
        pictures = _draw(workspace, root / "pictures")
    finally:
        workspace.close()
    _report(relabelled, pictures, root)
    return False


def _make_crawl(folder: Path) -> None:
    """Write the crawl unless it is there: in a folder of another name first, to be whole."""
    import matplotlib.cbook
    import skimage.data

    if folder.exists():
        return
    found = Path(skimage.data.__file__).parent
    other = Path(str(matplotlib.cbook.get_sample_data(_OTHER_PORTRAIT, asfileobj=False)))
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        for path in (other, *(found / name for name in (_PORTRAIT, *_NO_PORTRAITS))):
            shutil.copyfile(path, partial / path.name)
        shutil.copyfile(found / _PORTRAIT, partial / "a copy.png")
        _side_by_side([found / _PORTRAIT, other]).save(partial / "together.jpg", quality=92)
        (partial / "broken.jpg").write_bytes((found / "rocket.jpg").read_bytes()[:20_000])
        partial.rename(folder)
    except OSError as error:
        raise WorkspaceError(storage_message(folder, error)) from error


def _side_by_side(paths: Sequence[Path]) -> Image.Image:
    images = [Image.open(path).convert("RGB") for path in paths]
    fitted = [ImageOps.scale(image, _TOGETHER_HEIGHT_PX / image.height) for image in images]
    sheet = Image.new("RGB", (sum(image.width for image in fitted), _TOGETHER_HEIGHT_PX))
    x = 0
    for image in fitted:
        sheet.paste(image, (x, 0))
        x += image.width
    return sheet


def _draw(workspace: Workspace, folder: Path) -> list[Path]:
    with reader(workspace.engine).begin() as connection:
        portraits = list(list_portraits(connection, workspace.store))
    folder.mkdir(exist_ok=True)
    paths = [folder / f"portrait-{line.portrait_id}.png" for line in portraits]
    for line, path in zip(portraits, paths, strict=True):
        save_picture(line, path, workspace.settings)
    return paths


def _report(relabelled: Sequence[Relabelled], pictures: Sequence[Path], root: Path) -> None:
    for each in relabelled:
        typer.echo(
            f"portrait {each.portrait_id}: refined with {_SECOND}, "
            f"{each.change:.1%} of the mask changed, now {each.verdict}"
        )
    typer.echo("")
    typer.echo(f"Look at {', '.join(map(str, pictures))}")
    typer.echo(
        f"Go on with your own photos: dataengine -w {root} ingest ./raw --teacher {_TEACHER}"
    )
