"""What a server, the network or the SDK says when something fails becomes one line of ours."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pipelines.label_studio.errors import (
    AnswerLostError,
    NotAllowedError,
    ReviewError,
    TooLargeError,
    TooLongAnswerError,
    UnreachableError,
)
from pipelines.label_studio.token import redacted

_MAX_DETAIL = 300
_LOST = (408, 409, 429)


class Refusals:
    """Turns errors about one server into ours; the token is in none of them, nor behind them."""

    def __init__(self, url: str, *secrets: str) -> None:
        """Remember whom it is about.

        Args:
            url: of the server.
            secrets: what no message may hold.
        """
        self._url = url
        self._secrets = secrets

    @contextmanager
    def as_ours(self) -> Iterator[None]:
        """Errors of the SDK and of HTTP within the block become `ReviewError`s.

        Raises:
            ReviewError: see `pipelines.label_studio.gateway.Gateway`.
        """
        try:
            yield
        except ReviewError:
            raise
        except Exception as error:
            ours = self._translated(error)
            if ours is None:
                raise
            if any(secret in _everything_said(error) for secret in self._secrets):
                raise ours from None  # `--debug` would print it
            raise ours from error

    def _translated(self, error: Exception) -> ReviewError | None:
        import httpx
        from label_studio_sdk.core.api_error import ApiError

        from pipelines.label_studio.http import RedirectedError, TooLongError

        match error:
            case RedirectedError():
                return ReviewError(
                    f"{self._url} sends its callers to {self._clean(error.final)}; nothing was "
                    "written: give that address as LABEL_STUDIO_URL"
                )
            case TooLongError():
                return TooLongAnswerError(f"{self._url} answers with {error}")
            case httpx.ConnectError() | httpx.ConnectTimeout():
                return self._unreachable(str(error))
            case httpx.UnsupportedProtocol() | httpx.InvalidURL() | UnicodeError():
                return ReviewError(f"{self._url} is not the URL of a server ({self._clean(error)})")
            case httpx.TransportError():
                named = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
                return AnswerLostError(f"{self._url} did not answer ({self._clean(named)})")
            case RecursionError():
                return ReviewError(f"{self._url} answers with JSON that is nested too deeply")
            case ApiError():
                return self._refusal(error.status_code, error.body)
            # What the SDK makes of answers that it did not expect.
            case httpx.DecodingError() | ValueError() | TypeError() | AttributeError() | KeyError():
                return ReviewError(f"{self._url} answers, but is no Label Studio")
        return None

    def _unreachable(self, said: str) -> UnreachableError:
        if "CERTIFICATE_VERIFY_FAILED" in said:
            return UnreachableError(
                f"{self._url}: nobody known here vouches for its certificate "
                f"({self._clean(said)}); if it is your own, name the PEM file of the certificate, "
                "or of who signed it, in SSL_CERT_FILE"
            )
        return UnreachableError(
            f"{self._url} cannot be reached ({self._clean(said)}); is the server running?"
        )

    def _refusal(self, code: int | None, body: Any) -> ReviewError:
        said = self._clean(detail(body))
        if code in (401, 403):
            return NotAllowedError(
                f"{self._url} does not accept the token in LABEL_STUDIO_API_KEY ({code}: {said}); "
                "copy a new one from its Account & Settings page"
            )
        if code == 413:
            return TooLargeError(f"{self._url} takes no request as large as this (413: {said})")
        if code is None or code >= 500 or code in _LOST:
            return AnswerLostError(f"{self._url} failed ({code}: {said})")
        return ReviewError(f"{self._url} refused ({code}: {said})")

    def _clean(self, said: object) -> str:
        return redacted(str(said), *self._secrets)


def detail(body: Any) -> str:
    """What a server says of its refusal, on one line; of a page of HTML its title."""
    text = _text_of(body) if isinstance(body, Mapping) else str(body)
    if re.search(r"<\s*(!doctype|html|head|body|title|div|p|h1)\b", text, re.IGNORECASE):
        title = re.search(r"<title[^>]*>([^<]*)</title>", text, re.IGNORECASE)
        text = f"a web page, {' '.join(title[1].split())!r}" if title else "a web page"
    return " ".join(text.split())[:_MAX_DETAIL]


def _text_of(body: Mapping[Any, Any]) -> str:
    """`detail`, and under it what is wrong with which field."""
    parts = [str(body["detail"])] if body.get("detail") else []
    errors = body.get("validation_errors")
    if isinstance(errors, Mapping):
        for field, said in errors.items():
            texts = said if isinstance(said, list) else [said]
            name = "" if field == "non_field_errors" else f"{field}: "
            parts.append(name + " ".join(map(str, texts)))
    return "; ".join(parts) or str(dict(body))


def _everything_said(error: BaseException) -> str:
    """An error and all that stand behind it, as a traceback would show them."""
    said, seen = "", set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            said += f"{one!s}\n{one!r}\n"
            waiting += [one.__cause__, one.__context__]
    return said
