"""Everything in small: a crawl of photos that anybody may have, ingested, refined and shown."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from pipelines.ingest.request import IngestRequest
from pipelines.ingest.run import IngestResult, ingest_photos, open_for_ingest
from pipelines.networks import NetworkRef, parse_network
from pipelines.networks.loading import load_person_model
from pipelines.pages.report import ReportRequest, write_report
from pipelines.portraits.funnel import Funnel
from pipelines.portraits.listing import list_portraits
from pipelines.portraits.picture import outlined, save_picture
from pipelines.review.status import workspace_status
from pipelines.rounds.relabel import RelabelRequest, RelabelResult, relabel_portraits
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.settings import Settings
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.store import storage_message
from pipelines.workspace.workspace import Workspace
from sinet.data import read_image
from sinet.predict import predict

TEACHER: Final = "bundled"
SECOND_OPINION: Final = "sinet:bundled"
FACES: Final = Path(__file__).parent / "faces"
"""Of CC0: `faces/ATTRIBUTION.md` says whose they are."""
_ORIGINS: Final = "origins.csv"
_NEW: Final = "face-11.jpg"
"""Is not in the crawl: what the student makes of a photo that nobody has shown to it."""
# In the public domain and inside the wheels of other packages: Eileen Collins, Grace Hopper, and no
# portraits.
_PORTRAIT, _OTHER_PORTRAIT = "astronaut.png", "grace_hopper.jpg"
_NO_PORTRAITS = ("chelsea.png", "coffee.png", "hubble_deep_field.jpg", "rocket.jpg")
_TOGETHER_HEIGHT_PX = 600


@dataclass(frozen=True)
class Demonstrated:
    """What was done.

    Attributes:
        root: folder of the workspace.
        ingested: what was taken in; if that was interrupted, nothing else was done.
        funnel: how the workspace stood after it.
        relabelled: masks refined by a second network.
        pictures: one of each portrait.
        report: page of everything.
        prediction: photo that was not in the crawl, with what SINet sees in it.
    """

    root: Path
    ingested: IngestResult
    funnel: Funnel
    relabelled: RelabelResult | None = None
    pictures: Sequence[Path] = ()
    report: Path | None = None
    prediction: Path | None = None


def demonstrate(root: Path, progress: Progress = SILENT) -> Demonstrated:
    """Make a crawl, ingest it, refine its masks, draw them, and show what became of it all.

    Run again it goes on where it was, and does nothing twice.

    Args:
        root: folder of the workspace; the crawl is its `crawl`, the pictures its `pictures`, the
            page its `report.html`, the prediction its `prediction.jpg`.
        progress: told of every part.

    Raises:
        WorkspaceError: the folder cannot be written.
        PipelineError: as `ingest_photos`.
    """
    crawl = root / "crawl"
    _make_crawl(crawl)
    progress.say(f"Made a crawl of {len(list(crawl.iterdir()))} files in {crawl}")
    settings = load_settings(root, {"teacher": {"name": TEACHER}})
    request = IngestRequest(paths=[crawl], origin=FACES / _ORIGINS)
    workspace = open_for_ingest(root, settings, request, progress)
    try:
        ingested = ingest_photos(workspace, request, progress)
        funnel = workspace_status(workspace).funnel
        if ingested.interrupted:
            return Demonstrated(root, ingested, funnel)
        network = parse_network(SECOND_OPINION)
        second = RelabelRequest(network=network, device="cpu")
        relabelled = relabel_portraits(workspace, second, progress)
        pictures = _draw(workspace, root / "pictures")
        page = ReportRequest(out=root / "report.html")
        write_report(workspace, page, progress)
        prediction = _predict(network, root / "prediction.jpg", settings)
    finally:
        workspace.close()
    return Demonstrated(root, ingested, funnel, relabelled, pictures, page.out, prediction)


def _predict(network: NetworkRef, target: Path, settings: Settings) -> Path:
    """Draw a photo that is not in the crawl, and beside it what a network sees."""
    model = load_person_model(network, device="cpu", settings=settings.teacher)
    photo = FACES / _NEW
    rgb = read_image(photo)
    seen = outlined(rgb, predict(model, rgb) > 0.5)
    sheet = Image.new("RGB", (2 * seen.width, seen.height))
    sheet.paste(Image.fromarray(rgb), (0, 0))
    sheet.paste(seen, (seen.width, 0))
    try:
        sheet.save(target, quality=92)
    except OSError as error:
        raise WorkspaceError(storage_message(target, error)) from error
    return target


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
        faces = [path for path in sorted(FACES.glob("*.jpg")) if path.name != _NEW]
        for path in (other, *(found / name for name in (_PORTRAIT, *_NO_PORTRAITS)), *faces):
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
    folder.mkdir(exist_ok=True)
    paths = []
    for line in list_portraits(workspace):
        paths.append(folder / f"portrait-{line.portrait_id}.png")
        save_picture(line, paths[-1], workspace.settings)
    return paths
