"""Predict files, several at once; one that is broken does not stop the others."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sinet.apply.plan import Work
from sinet.apply.video import apply_to_video
from sinet.apply.write import Style, heated, tinted, write_picture
from sinet.batching import BATCH_PIXELS, batches, in_order, within
from sinet.data.reading import Pixels, read_image
from sinet.errors import DataError, NetworkOutputError
from sinet.predict import PersonModel, predict_each


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be predicted; nothing was written for it."""

    path: Path
    reason: str


Attend = Callable[[Pixels], Mapping[str, npt.NDArray[np.float32]]]
"""Maps uint8 (H, W, 3) RGB to attention maps of any size, 0..1, by name."""


def apply_to_files(
    model: PersonModel,
    works: Iterable[Work],
    style: Style,
    *,
    threads: int | None = None,
    attend: Attend | None = None,
) -> tuple[int, list[Failure]]:
    """Write the masks, and overlays if wanted.

    Args:
        model: that predicts.
        works: taken one batch after the other, as threads get free.
        style: of the masks.
        threads: that decode, predict and write; None: one a core.
        attend: what the model attends to, where the works have files for it.

    Returns:
        How many files were predicted, and those that failed, in their order.
    """
    done, failures = 0, []
    for is_video, group in groupby(works, key=lambda work: work.is_video):
        found: Iterable[Failure | None]
        if is_video:
            found = (_attempt_video(model, work, style, threads) for work in group)
        else:
            pictures = partial(_apply_to_pictures, model, style, attend)
            found = chain.from_iterable(in_order(pictures, batches(group), threads))
        for failure in found:
            if failure is None:
                done += 1
            else:
                failures.append(failure)
    return done, failures


def _attempt_video(
    model: PersonModel, work: Work, style: Style, threads: int | None
) -> Failure | None:
    try:
        apply_to_video(model, work, style, threads=threads)
    except (DataError, NetworkOutputError) as error:
        return Failure(work.source, str(error))
    return None


def _apply_to_pictures(
    model: PersonModel, style: Style, attend: Attend | None, works: Sequence[Work]
) -> list[Failure | None]:
    """What became of each; with its mask, written last, a file is done."""
    failed: dict[Work, Failure] = {}

    def decoded() -> Iterator[tuple[Work, Pixels]]:
        for work in works:
            try:
                yield work, read_image(work.source)
            except DataError as error:
                failed[work] = Failure(work.source, str(error))

    for group in within(decoded(), lambda pair: pair[1][..., 0].size, BATCH_PIXELS):
        people = predict_each(model, [image for _, image in group])
        for (work, image), person in zip(group, people, strict=True):
            if isinstance(person, NetworkOutputError):
                failed[work] = Failure(work.source, f"{work.source}: {person}")
                continue
            try:
                if style.overlay:
                    write_picture(work.overlay, tinted(image, person))
                if attend is not None:
                    for path, found in zip(work.attention, attend(image).values(), strict=True):
                        write_picture(path, heated(image, found))
                write_picture(work.mask, style.mask(person))
            except DataError as error:
                failed[work] = Failure(work.source, str(error))
    return [failed.get(work) for work in works]
