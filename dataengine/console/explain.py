"""`explain` on a console: the history of an image as a tree, or all of it as JSON."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from dataengine.console.shared.text import print_json
from pipelines.lineage.explaining import ExplainedPortrait, Explanation, Traced
from pipelines.lineage.finding import Kind
from pipelines.lineage.history import (
    MaskHistory,
    PhotoHistory,
    PortraitHistory,
    ReleaseHistory,
    ReviewHistory,
)
from pipelines.origins.origin import Origin
from pipelines.workspace.settings_used import unlike_defaults
from pipelines.workspace.uris import uri_path
from sinet.escaping import printable
from sinet.pictures.threshold import PERSON_ABOVE

_SHOWN = 16  # digits of a hash, enough to look for; `--json` has all


def print_explanation(found: Explanation, *, as_json: bool) -> None:
    """As trees, one a portrait; as JSON everything, with times in ISO format."""
    if as_json:
        print_json(_plain(asdict(found)))
    else:
        _print_trees(found)


def _print_trees(found: Explanation) -> None:
    console = Console(highlight=False)
    console.print(f"{_text(found.path)}  [dim]{found.kind}, SHA-256 {found.sha256}[/dim]")
    if found.forgotten_at is not None:
        tree = Tree(f"its photo was forgotten on {_day(found.forgotten_at)}")
        for item in found.released:
            _add_release(tree, item, None)
        console.print(tree)
    if found.photo is not None and not found.portraits:
        tree = Tree("no portrait was made of it")
        _add_photo(tree, found.photo)
        console.print(tree)
    for each in found.portraits:
        console.print(_portrait_tree(found, each))


def _portrait_tree(found: Explanation, explained: ExplainedPortrait) -> Tree:
    history, pixel = explained.history, explained.pixel
    x0, y0, x1, y1 = history.crop_box
    width, height = history.crop.size
    tree = Tree(f"[bold]portrait {history.portrait_id}[/bold]  {width} × {height} pixels")
    _add_photo(tree, history.photo)
    rotated = f", rotated by {history.rotation}° clockwise" if history.rotation else ""
    tree.add(f"crop  x {x0} to {x1}, y {y0} to {y1} of the upright photo{rotated}")
    if pixel is not None:
        tree.add(_pixel(pixel))
    face = [round(value) for value in history.face_box]
    tree.add(
        f"face  x {face[0]} to {face[2]}, y {face[1]} to {face[3]}, "
        f"probability {history.face_confidence:.3f}, by {_text(history.detector)}"
    )
    tree.add(f"settings  {_settings(history.settings)}")
    for mask in history.masks:
        _add_mask(tree, mask, found, history, pixel)
    if not history.masks:
        tree.add("no mask yet")
    revisions = {mask.mask_id: mask.revision for mask in history.masks}
    for release in history.releases:
        _add_release(tree, release, revisions.get(release.mask_id or 0))
    if not history.releases:
        tree.add("in no release")
    return tree


def _add_photo(tree: Tree, photo: PhotoHistory) -> None:
    size = f"{photo.width} × {photo.height} {photo.format}" if photo.width else "not decoded"
    files = [_text(uri_path(uri)) for uri in photo.uris]
    node = tree.add(f"raw photo  {files[0] if files else '(overwritten)'}  [dim]{size}[/dim]")
    for file in files[1:]:
        node.add(f"also {file}")
    node.add(f"SHA-256 {photo.sha256}")
    if photo.origin is None:
        node.add("origin  nothing says where it came from")
    else:
        _add_origin(node, photo.origin)
    if photo.reasons:
        node.add(f"{photo.outcome}: {_text(', '.join(photo.reasons))}")


def _add_origin(tree: Tree, origin: Origin) -> None:
    where = [origin.url, origin.page, origin.author and f"by {origin.author}"]
    licence = origin.licence or "licence not told"
    if origin.licence_stated and origin.licence_stated != origin.licence:
        licence += f" (stated: {origin.licence_stated})"
    parts = [*filter(None, where), licence]
    if origin.opt_outs:
        parts.append(f"opted out: {', '.join(origin.opt_outs)}")
    if origin.consent is not None:
        parts.append("consent given" if origin.consent else "consent refused")
    if origin.downloaded_at is not None:
        parts.append(f"downloaded {_day(origin.downloaded_at)}")
    if origin.c2pa:
        parts.append("carries content credentials (C2PA), not verified")
    node = tree.add(f"origin  {_text(', '.join(parts))}")
    node.add(f"read in {_text(', '.join(origin.evidence))}")


def _pixel(pixel: Traced) -> str:
    in_photo = f"{pixel.in_photo.x},{pixel.in_photo.y} of the photo"
    if pixel.in_portrait is None:
        return f"[bold]pixel[/bold]  {in_photo} is outside of the crop"
    return f"[bold]pixel[/bold]  {pixel.in_portrait.x},{pixel.in_portrait.y} is {in_photo}"


def _add_mask(
    tree: Tree,
    mask: MaskHistory,
    found: Explanation,
    history: PortraitHistory,
    pixel: Traced | None,
) -> None:
    reasons = f" ({_text(', '.join(mask.reasons))})" if mask.reasons else ""
    line = f"[bold]mask {mask.revision}[/bold]  {mask.source}, {mask.verdict}{reasons}"
    if found.kind is Kind.MASK and found.sha256 in mask.blob:
        line += "  ← this file"
    if pixel is not None and pixel.in_portrait is not None:
        line += f"  pixel: {_value(pixel.masks[mask.mask_id])}"
    node = tree.add(line)
    node.add(f"by {_text(mask.producer)}, {_day(mask.created_at)}")
    if mask.scores:
        scores = (f"{name} {value:.3g}" for name, value in sorted(mask.scores.items()))
        node.add(f"scores  {', '.join(scores)}")
    if mask.settings != history.settings:
        node.add(f"settings  {_settings(mask.settings)}")
    for review in mask.reviews:
        node.add(_review(review, {each.mask_id: each.revision for each in history.masks}))


def _review(review: ReviewHistory, revisions: dict[int, int]) -> str:
    parts = [f"{_text(review.reviewer)}: [bold]{review.decision}[/bold], {_day(review.decided_at)}"]
    if review.fixed_mask_id is not None:
        parts.append(f"drew mask {revisions.get(review.fixed_mask_id, '?')}")
    if review.seconds is not None:
        parts.append(f"{review.seconds:.1f} s")
    if review.reasons:
        parts.append(_text(", ".join(review.reasons)))
    if review.comment:
        parts.append(f"“{_text(review.comment)}”")
    if review.withdrawn_at is not None:
        parts.append(f"withdrawn {_day(review.withdrawn_at)}")
    return ", ".join(parts)


def _add_release(tree: Tree, release: ReleaseHistory, revision: int | None) -> None:
    mask = f", mask {revision}" if revision is not None else ""
    node = tree.add(
        f"[bold]{_text(release.name)}[/bold]  {release.item} in {release.split}, "
        f"{release.trust}{mask}  [dim]checksum {release.checksum[:_SHOWN]}…, "
        f"{_text(release.path)}[/dim]"
    )
    for run in release.runs:
        weights = f"weights {run.checkpoint_sha256[:_SHOWN]}…" if run.checkpoint_sha256 else ""
        state = "promoted" if run.promoted_at else "not promoted" if weights else "not finished"
        forced = " by force" if run.forced else ""
        node.add(f"run {_text(run.folder)}  {', '.join(filter(None, [state + forced, weights]))}")


def _settings(values: dict[str, Any] | None) -> str:
    if values is None:
        return "not recorded when it was made"
    changed = unlike_defaults(values)
    shown = ", ".join(f"{key} = {value}" for key, value in changed.items())
    return _text(shown) if changed else "the defaults"


def _value(value: int | None) -> str:
    if value is None:
        return "the blob cannot be read"
    return "portrait (255)" if value > PERSON_ABOVE else f"background ({value})"


def _day(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _text(text: str) -> str:
    """What came from outside, without line breaks and without meaning for `rich`."""
    return escape(printable(text))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value
