"""What its maker may say of a mask that does not speak for itself."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

# A number, several, ranges of them; or a colour.
_CLASS = r"^(\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*|#[0-9a-f]{6})$"


class MaskOptions(BaseModel):
    """How masks are to be read; nothing said: each as it explains itself, or not at all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    person_class: str | None = Field(
        default=None,
        pattern=_CLASS,
        description="The person's number, of a level or in a palette, or those of a person's "
        "parts, as `1,2,5-9`, or colour, as `#c08080`.",
    )
    channel: Literal["alpha", "colour"] | None = Field(
        default=None, description="Which of the two is the mask, where a file has both."
    )
    invert: bool = Field(default=False, description="Black is the person.")

    @field_validator("person_class", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) else str(value).lower() if value else None

    @property
    def colour(self) -> tuple[int, int, int] | None:
        """The person's colour, if it was said so."""
        if self.person_class is None or not self.person_class.startswith("#"):
            return None
        red, green, blue = bytes.fromhex(self.person_class[1:])
        return red, green, blue

    @property
    def numbers(self) -> list[int]:
        """The person's numbers, if they were said."""
        if self.person_class is None or self.person_class.startswith("#"):
            return []
        found: list[int] = []
        for part in self.person_class.split(","):
            ends = sorted(int(end) for end in part.split("-"))
            found += range(ends[0], ends[-1] + 1)
        return found


SELF_EXPLAINING: Final = MaskOptions()
"""Nothing was said."""
