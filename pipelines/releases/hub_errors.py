"""What the Hugging Face Hub refuses, in one line: which repository, what is wrong, what to do.

Its answers come from outside: they may be anything, and repeat what was sent. Nothing of the token
is ever shown.
"""

from typing import Final

from pipelines.label_studio.token import redacted
from pipelines.workspace.errors import PipelineError
from sinet.escaping import printable

_LONGEST: Final = 200
_NO_ANSWER: Final = {
    "TimeoutException": "does not answer in time",
    "ConnectError": "cannot be reached",
    "ProxyError": "cannot be reached through the proxy",
    "TransportError": "broke off the connection",
    "TooManyRedirects": "sends from one address to the next without end",
}
"""Errors of the HTTP library by name: which library it is depends on the Hub package's version."""


class HubError(PipelineError):
    """The Hub cannot be asked, refuses, or answers what cannot be true."""


def refusal(error: Exception, *, endpoint: str, repo: str, token: str) -> HubError:
    """What an error of `huggingface_hub` means.

    Args:
        error: as it was raised.
        endpoint: address of the Hub.
        repo: name of the repository.
        token: that was sent, to be left out.
    """
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception):
        return refusal(error.__cause__, endpoint=endpoint, repo=repo, token=token)
    names = {each.__name__ for each in type(error).__mro__}
    if "OfflineModeIsEnabled" in names:
        return HubError(f"{endpoint}: HF_HUB_OFFLINE forbids to ask it; unset it to publish")
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int):
        said = redacted(str(getattr(error, "server_message", None) or ""), token)
        return HubError(_refused(status, said, endpoint, repo))
    for name, what in _NO_ANSWER.items():
        if name in names:
            again = (
                "check the network, and HF_ENDPOINT if it is set, and run the same command again"
            )
            return HubError(f"{endpoint}: {what}; {again}")
    if isinstance(error, OSError) and error.filename:
        return HubError(f"{error.filename}: cannot be read ({error.strerror}); nothing was changed")
    told = _short(redacted(f"{type(error).__name__}: {error}", token))
    return HubError(
        f"{endpoint}: answers as the Hub does not ({told}); check HF_ENDPOINT, or run the same "
        "command again later"
    )


def _refused(status: int, said: str, endpoint: str, repo: str) -> str:
    because = f" ({status}: {_short(said)})" if said else f" ({status})"
    match status:
        case 401:
            return (
                f"{endpoint}: does not accept the token: make a new one with write access at "
                f"{endpoint}/settings/tokens and put it into HF_TOKEN, or run `hf auth login`"
            )
        case 403:
            return (
                f"{repo}: the token has no right to write there{because}: use one that has, or "
                "another repository"
            )
        case 404:
            return f"{repo}: is not there, or the token has no right to see it{because}"
        case 409 | 412:
            return (
                f"{repo}: somebody else changed it meanwhile{because}; run the same command again"
            )
        case 429:
            return f"{endpoint}: asks for fewer requests (429); run the same command again later"
        case _ if status >= 500:
            return f"{endpoint}: the server fails{because}; run the same command again later"
        case _:
            return f"{repo}: refused{because}"


def _short(text: str) -> str:
    first = printable(" ".join(text.split()))
    return first if len(first) <= _LONGEST else f"{first[:_LONGEST]}…"
