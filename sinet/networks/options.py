"""What can be chosen of a network, and what to say of a choice that is none."""

from collections.abc import Mapping

from sinet.errors import NetworkError
from sinet.suggestion import suggestion

Option = str | int | bool
"""Value of an option."""


def resolve_options(
    network: str, known: Mapping[str, tuple[Option, ...]], chosen: Mapping[str, Option]
) -> dict[str, Option]:
    """Return every known option with its chosen value, or else its default.

    Args:
        network: name, for messages.
        known: option → its values, the default first.
        chosen: option → value.

    Raises:
        NetworkError: no such option, or no such value of it.
    """
    for name, value in chosen.items():
        if name not in known:
            have = f"has {', '.join(known)}" if known else "has none"
            raise NetworkError(f"{network} has no option `{name}`; it {have}.")
        # `True == 1`, but 1 is no answer to a yes-or-no question.
        if not any(value == each and type(value) is type(each) for each in known[name]):
            values = ", ".join(map(str, known[name]))
            hint = suggestion(str(value), map(str, known[name]))
            raise NetworkError(f"{network}: `{name}` is {values}, not {value!r}{hint or '.'}")
    return {name: chosen.get(name, values[0]) for name, values in known.items()}
