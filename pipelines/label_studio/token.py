"""The token: the one secret of a review. It is checked before it is used and shown nowhere."""

from pipelines.label_studio.errors import NotAllowedError

_SHORTEST_TO_REDACT = 6


def clean_token(text: str, variable: str) -> str:
    """A token as it was copied: without the blanks and line ends around it.

    Args:
        text: from outside.
        variable: where it came from, for the message.

    Raises:
        NotAllowedError: it is empty, or holds what no token and no HTTP header has.
    """
    token = text.strip()
    if token and all("!" <= character <= "~" for character in token):
        return token
    what = "is empty" if not token else "holds blanks or characters that no token has"
    raise NotAllowedError(
        f"{variable} {what}; copy the token again from Label Studio's Account & Settings page"
    )


def redacted(text: str, *secrets: str) -> str:
    """A text in which no secret is to be seen, whoever repeated it."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_TO_REDACT:
            text = text.replace(secret, "…")
    return text
