"""Predict files one after the other; one that is broken does not stop the others."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sinet.apply.plan import Work
from sinet.apply.video import apply_to_video
from sinet.apply.write import Style, tinted, write_picture
from sinet.data.reading import read_image
from sinet.errors import DataError
from sinet.predict import PersonModel, predict


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be predicted; nothing was written for it."""

    path: Path
    reason: str


def apply_to_files(
    model: PersonModel, works: Iterable[Work], style: Style
) -> tuple[int, list[Failure]]:
    """Write the masks, and overlays if wanted.

    Returns:
        How many files were predicted, and those that failed.
    """
    done, failures = 0, []
    for work in works:
        try:
            if work.is_video:
                apply_to_video(model, work, style)
            else:
                _apply_to_picture(model, work, style)
            done += 1
        except DataError as error:
            failures.append(Failure(work.source, str(error)))
    return done, failures


def _apply_to_picture(model: PersonModel, work: Work, style: Style) -> None:
    image = read_image(work.source)
    person = predict(model, image)
    if style.overlay:
        write_picture(work.overlay, tinted(image, person))
    write_picture(work.mask, style.mask(person))  # last: with it the file is done
