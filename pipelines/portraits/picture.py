"""A portrait to look at: image, crop and mask side by side."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from db import reader
from pipelines.pictures.decode import decode
from pipelines.portraits.listing import PortraitLine, find_portrait
from pipelines.workspace.errors import ItemError, PipelineError, SourceError
from pipelines.workspace.settings import Settings
from pipelines.workspace.sources import Sources
from pipelines.workspace.store import storage_message
from pipelines.workspace.workspace import Workspace
from sinet.pictures.decode import MAX_PIXELS
from sinet.pictures.threshold import is_person

_PANEL_HEIGHT_PX = 640
_CAPTION_PX = 64
_GAP_PX = 12
_INK, _PAPER = (235, 235, 235), (28, 30, 34)
_FACE, _CROP, _OUTLINE = (255, 196, 0), (0, 200, 255), (60, 255, 90)


def draw_portrait(workspace: Workspace, portrait_id: int, target: Path) -> None:
    """Draw a portrait: image with boxes, crop, and mask, side by side.

    Args:
        workspace: opened.
        portrait_id: as `list_portraits` has it.
        target: a .png or .jpg file; overwritten.

    Raises:
        PipelineError: there is no such portrait, its crop or mask cannot be read, or the target
            cannot be written.
    """
    with reader(workspace.engine).begin() as connection:
        line = find_portrait(connection, workspace.store, portrait_id)
    save_picture(line, target, workspace.settings)


def save_picture(line: PortraitLine, target: Path, settings: Settings) -> None:
    """Draw a portrait's image with its boxes, its crop, and its mask over the dimmed crop.

    Args:
        line: the portrait; if its image has gone, the panel says so.
        target: a .png or .jpg file; overwritten.
        settings: limits of decoding.

    Raises:
        PipelineError: the portrait's crop or mask, or the target, cannot be read or written.
    """
    crop = _read(Path(line.portrait_path))
    panels = [_image_panel(line, settings), Image.fromarray(crop)]
    if line.mask_path:
        panels.append(outlined(crop, is_person(_read(Path(line.mask_path))[..., 0])))
    sheet = _side_by_side([_fit(panel) for panel in panels])
    _caption(sheet, line)
    try:
        sheet.save(target)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError):
            raise PipelineError(storage_message(target, error)) from error
        raise PipelineError(f"{target}: unknown kind of picture; name it .png or .jpg") from error


def _image_panel(line: PortraitLine, settings: Settings) -> Image.Image:
    try:
        if line.photo_uri is None:
            raise ItemError("overwritten", "no file has this image's content any longer")
        data = Sources(settings).read(line.photo_uri)
        rgb = decode(data, max_pixels=settings.decode.max_pixels).rgb
    except (ItemError, SourceError) as error:
        why = error.reason if isinstance(error, ItemError) else "unreachable"
        panel = Image.new("RGB", (_PANEL_HEIGHT_PX * 3 // 4, _PANEL_HEIGHT_PX), _PAPER)
        ImageDraw.Draw(panel).text((16, 16), f"the image is gone\n({why})", _INK, _font(20))
        return panel
    panel = Image.fromarray(rgb)
    draw, width = ImageDraw.Draw(panel), max(2, max(panel.size) // 250)
    x0, y0, x1, y1 = line.crop_box
    draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=_CROP, width=width)
    draw.rectangle(tuple(line.face_box), outline=_FACE, width=width)
    return panel


def outlined(rgb: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Image.Image:
    """A picture with the outline of a mask, dimmed outside of it.

    Args:
        rgb: (H, W, 3).
        mask: (H, W), true for the person.
    """
    from skimage.segmentation import find_boundaries

    shown = np.where(mask[..., None], rgb, rgb // 4)
    boundary = find_boundaries(mask, mode="thick")
    shown[boundary] = _OUTLINE
    return Image.fromarray(shown.astype(np.uint8))


def _caption(sheet: Image.Image, line: PortraitLine) -> None:
    draw = ImageDraw.Draw(sheet)
    y = _PANEL_HEIGHT_PX + 2 * _GAP_PX
    verdict = f"{line.verdict or 'no mask yet'}  {', '.join(line.reasons)}"
    draw.text((_GAP_PX, y), f"#{line.portrait_id}  {verdict}", _INK, _font(20))
    scores = "  ".join(
        f"{name} {line.scores[name]:.3g}"
        for name in ("confidence", "band_entropy", "face_in_mask", "spill", "area", "sharpness")
        if name in line.scores
    )
    draw.text((_GAP_PX, y + 28), scores, _INK, _font(15))


def _side_by_side(panels: list[Image.Image]) -> Image.Image:
    width = sum(panel.width for panel in panels) + _GAP_PX * (len(panels) + 1)
    sheet = Image.new("RGB", (width, _PANEL_HEIGHT_PX + _CAPTION_PX + 2 * _GAP_PX), _PAPER)
    x = _GAP_PX
    for panel in panels:
        sheet.paste(panel, (x, _GAP_PX))
        x += panel.width + _GAP_PX
    return sheet


def _fit(panel: Image.Image) -> Image.Image:
    width = max(1, round(panel.width * _PANEL_HEIGHT_PX / panel.height))
    return panel.resize((width, _PANEL_HEIGHT_PX), Image.Resampling.LANCZOS)


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        return decode(path.read_bytes(), max_pixels=MAX_PIXELS).rgb
    except (OSError, ItemError) as error:
        raise PipelineError(f"{path}: this blob cannot be read ({error})") from error


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
