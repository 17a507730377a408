"""What a server says, taken apart under limits: nothing of it is believed before it fits.

Each task and each annotation is read by itself. What does not fit is said in words beside what
does, so that one odd answer never stops the others.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from pipelines.label_studio.gateway import Annotation, Brush, FoundTask, UpdatedTask
from pipelines.label_studio.marks import read_marks
from pipelines.label_studio.screen import COMMENT, DECISION, MASK, REASON, SAMPLE_ID
from sinet.clicks.click import Mark

MAX_SIDE_PX: Final = 1 << 16
MAX_TEXT: Final = 10_000
MAX_VALUES: Final = 100
MAX_REGIONS: Final = 1_000
MAX_ANNOTATIONS: Final = 1_000
MAX_RLE_BYTES: Final = 1 << 26
_LONGEST_SECONDS = 1e7
_KEY_LENGTH = 32

# A number of the server's database: 1 to 2⁶³ - 1.
Number = Annotated[int, Field(strict=True, ge=1, lt=1 << 63)]


def _moment(value: Any) -> datetime:
    """A time given as text or not, with a zone or in UTC."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("is no time") from None
    if not 1970 <= moment.year <= 9000:  # what no database nor any time zone can hold
        raise ValueError(f"the year {moment.year} is no server's")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _seconds(value: Any) -> float | None:
    """How long it took; what cannot be is not known."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= _LONGEST_SECONDS and math.isfinite(value) else None


Moment = Annotated[datetime, BeforeValidator(_moment)]
Text = Annotated[str, Field(strict=True, max_length=MAX_TEXT)]
Values = Annotated[list[Text], Field(max_length=MAX_VALUES)]
Side = Annotated[int, Field(strict=True, ge=1, le=MAX_SIDE_PX)]
Rle = Annotated[
    list[Annotated[int, Field(strict=True, ge=0, le=255)]], Field(max_length=MAX_RLE_BYTES)
]


class Foreign(BaseModel):
    """Something of somebody else's: what we do not know of it is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class _Choices(Foreign):
    choices: Values


class _Comment(Foreign):
    text: Annotated[Values, BeforeValidator(lambda text: [text] if isinstance(text, str) else text)]


class _Rle(Foreign):
    format: Annotated[str, AfterValidator(lambda name: _is("rle", name))]
    rle: Rle


class _Brush(Foreign):
    original_width: Side
    original_height: Side
    value: _Rle


class _Stated(Foreign):
    """What every annotation has, whatever was answered."""

    id: Number
    updated_at: Moment
    lead_time: Annotated[float | None, BeforeValidator(_seconds)] = None
    was_cancelled: bool | None = None


class _Listed(Foreign):
    id: Number
    updated_at: Moment


class _Found(Foreign):
    id: Number
    total_predictions: int | None = None
    total_annotations: int | None = None


_NUMBER: TypeAdapter[int] = TypeAdapter(Number)
_EMAIL: TypeAdapter[str] = TypeAdapter(
    Annotated[str, Field(strict=True, min_length=1, max_length=254)]
)


def found_task(raw: Any) -> FoundTask | None:
    """A task that was looked up, as the server lists it; None if it is not even a task."""
    try:
        found = _Found.model_validate(raw)
    except (ValidationError, RecursionError):
        return None
    return FoundTask(
        id=found.id,
        key=key_of(raw.get("data")) or "",
        has_mask=bool(found.total_predictions),
        is_answered=bool(found.total_annotations),
    )


def updated_task(raw: Any, reviewer: Callable[[Any], str]) -> UpdatedTask | None:
    """A task as the server lists it.

    Args:
        raw: what its JSON holds.
        reviewer: e-mail address from an annotation's `completed_by`.

    Returns:
        The task, with the annotations that can be understood, and what is odd about the others in
        `problems`; None for something that is not even a task.
    """
    try:
        listed = _Listed.model_validate(raw)
    except (ValidationError, RecursionError):
        return None
    given = raw.get("annotations")
    problems: list[str] = []
    found: list[Annotation] = []
    if given is not None and (not isinstance(given, list) or len(given) > MAX_ANNOTATIONS):
        problems.append("its list of annotations cannot be read")
        given, is_whole = [], False
    else:
        is_whole = True
    for each in given or []:
        try:
            found.append(annotation(each, reviewer))
        except UnreadableError as error:
            problems.append(str(error))
            is_whole = is_whole and error.is_known
    key = key_of(raw.get("data"))
    return UpdatedTask(listed.id, key, listed.updated_at, found, tuple(problems), is_whole)


class UnreadableError(Exception):
    """An annotation cannot be understood; says why.

    Attributes:
        is_known: it can be told which annotation it is, and that it is another state of it.
    """

    def __init__(self, message: str, *, is_known: bool) -> None:
        super().__init__(message)
        self.is_known = is_known


def annotation(raw: Any, reviewer: Callable[[Any], str]) -> Annotation:
    """What somebody submitted.

    Args:
        raw: as the server lists it.
        reviewer: e-mail address from its `completed_by`.

    Raises:
        UnreadableError: it is not what our screen, or any Label Studio, makes of an answer.
    """
    stated = _read(_Stated.model_validate, raw, "an annotation", is_known=False)
    where = f"annotation {stated.id}"
    skipped = bool(stated.was_cancelled)
    results = raw.get("result") or []
    if not isinstance(results, list) or len(results) > MAX_REGIONS:
        raise UnreadableError(f"{where}: its result is no list of regions", is_known=True)
    choices: dict[str, list[str]] = {}
    comments: list[str] = []
    regions: list[Brush] = []
    marks: list[Mark] = []
    for result in [] if skipped else results:
        if not isinstance(result, Mapping):
            raise UnreadableError(f"{where}: one of its regions is no object", is_known=True)
        name, value = result.get("from_name"), result.get("value")
        if name in (DECISION, REASON):
            read = _read(_Choices.model_validate, value, f"{where}: its {name}")
            choices.setdefault(name, []).extend(read.choices)
        elif name == COMMENT:
            comments += _read(_Comment.model_validate, value, f"{where}: its comment").text
        elif name == MASK:
            brush = _read(_Brush.model_validate, result, f"{where}: its mask")
            regions.append(Brush(brush.value.rle, brush.original_width, brush.original_height))
            marks = marks or read_marks(result.get("meta"))
    return Annotation(
        id=stated.id,
        updated_at=stated.updated_at,
        reviewer=reviewer(raw.get("completed_by")),
        seconds=stated.lead_time,
        skipped=skipped,
        choices=choices,
        comment="\n".join(comments)[:MAX_TEXT] or None,
        regions=regions,
        marks=marks,
    )


def email_of(completed_by: Any) -> str | int | None:
    """An e-mail address or a user's number, whichever of them it is; None if it is neither."""
    if isinstance(completed_by, Mapping):
        email = completed_by.get("email")
        if _fits(_EMAIL, email):
            return str(email)
        completed_by = completed_by.get("id")
    return int(completed_by) if _fits(_NUMBER, completed_by) else None


def key_of(data: Any) -> str | None:
    """Our key in a task's data; None if it cannot be ours."""
    key = data.get(SAMPLE_ID) if isinstance(data, Mapping) else None
    is_ours = isinstance(key, str) and key.isascii() and len(key) <= _KEY_LENGTH
    return key if is_ours else None


def _read(validate: Callable[[Any], Any], raw: Any, what: str, *, is_known: bool = True) -> Any:
    try:
        return validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        said = first["msg"][:1].lower() + first["msg"][1:]
        text = f"{what} cannot be read ({f'{place}: ' if place else ''}{said})"
        raise UnreadableError(text, is_known=is_known) from None
    except RecursionError:
        raise UnreadableError(f"{what} is nested too deeply", is_known=is_known) from None


def _is(wanted: str, name: str) -> str:
    if name != wanted:
        raise ValueError(f"must be {wanted!r}")
    return name


def _fits(adapter: TypeAdapter[Any], value: Any) -> bool:
    try:
        adapter.validate_python(value)
    except (ValidationError, RecursionError):
        return False
    return True
