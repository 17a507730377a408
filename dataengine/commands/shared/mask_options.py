"""The three options that settle what a mask means, wherever masks of people are read."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dataengine.choices import MaskChannel

if TYPE_CHECKING:
    from sinet.pictures.mask_options import MaskOptions


# As of `sinet.pictures.mask_options.MaskOptions`, which need not be loaded for `--help`.
_CLASS = r"\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*|#[0-9a-fA-F]{6}"


def _checked(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(_CLASS, value):
        raise typer.BadParameter("numbers such as 15 or 1,2,5-9, or a colour such as '#c08080'")
    return value


MaskClass = Annotated[
    str | None,
    typer.Option(
        "--mask-class",
        metavar="N",
        callback=_checked,
        help="Masks hold numbers or colours of classes: the person's, such as 15, 1,2,5-9 "
        "(parts of people) or '#c08080'.",
        show_default=False,
    ),
]
MaskChannelOption = Annotated[
    MaskChannel | None,
    typer.Option(
        "--mask-channel",
        help="Which is the mask where files have transparency and colours.",
        show_default="the alpha of a cut-out; refused where both could be",
    ),
]
MaskInvert = Annotated[
    bool,
    typer.Option("--mask-invert", help="Masks are inverted: black is the person."),
]


def said_of_masks(
    person_class: str | None, channel: MaskChannel | None, invert: bool
) -> dict[str, Any]:
    """Keys and values of `MaskOptions`; what was not said is None."""
    return {
        "person_class": person_class,
        "channel": channel and channel.value,
        "invert": invert or None,
    }


def mask_options(
    person_class: str | None, channel: MaskChannel | None, invert: bool
) -> "MaskOptions":
    """The three as a request takes them."""
    from sinet.pictures.mask_options import MaskOptions

    said = said_of_masks(person_class, channel, invert)
    return MaskOptions(**{key: value for key, value in said.items() if value is not None})
