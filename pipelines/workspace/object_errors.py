"""What object storage refuses, in one line: which address, what is wrong, what to do.

Libraries tell it in their servers' words: statuses, codes in XML, names of Rust types. Nothing of
an address's query is ever repeated: it may hold a signature.
"""

import re
from dataclasses import dataclass

from pipelines.workspace.errors import WorkspaceError
from sinet.escaping import printable

_STATUS = re.compile(r"status code: (\d{3})|status server error \((\d{3})|status: (\d{3})\b")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_EXPECTED_REGION = re.compile(r"expecting '([a-z0-9-]+)'")
_NOISE = re.compile(r"Error performing .*? in [\d.]+\S*s - |Generic \w+ error: ")
_QUERY = re.compile(r"\?\S+")
_LONGEST = 200

_WRONG_REGION = {"AuthorizationHeaderMalformed", "PermanentRedirect", "IncorrectEndpoint"}
_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound", "NotFoundBucket"}
_WRONG_CREDENTIALS = {
    "SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken", "InvalidToken",
    "AuthenticationFailed", "TokenRefreshRequired",
}  # fmt: skip
_FULL = {"XMinioStorageFull", "QuotaExceeded", "AccountQuotaExceeded", "EntityTooLarge"}
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that mean "later": the others of 5xx are as they are for ever."""
_UNKNOWN_NAME = ("dns error", "Name or service not known", "name resolution", "nodename nor")
_PASSING_WORDS = (
    "error sending request", "body error", "kind: Timeout", "kind: Connect", "dns error",
    "IncompleteMessage", "Connection reset", "error decoding response body", "ends too early",
)  # fmt: skip


class AccessError(WorkspaceError):
    """Object storage refuses something, or does not answer.

    Attributes:
        passes: what is asked for may succeed a moment later.
    """

    def __init__(self, message: str, *, passes: bool = False) -> None:
        super().__init__(message)
        self.passes = passes


class MissingObjectError(AccessError):
    """There is no such object; its bucket is there."""


class ChangedObjectError(AccessError):
    """The object is another one than it was when it was found."""


class BeyondEndError(AccessError):
    """The object ends before what was asked of it begins."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked for.

    Attributes:
        where: address, without secrets.
        bucket: address of the bucket or server.
        server: address of a server that the environment names; None: the provider's own.
        to: what is done there: ``read``, ``write``, ``list`` or ``remove``.
        region: that requests are signed for; None: there are none.
    """

    where: str
    bucket: str
    server: str | None
    to: str
    region: str | None = None


def refusal(error: Exception, asked: Asked) -> AccessError:
    """What a library's error means.

    Args:
        error: as it was raised.
        asked: what was being done.
    """
    if isinstance(error, AccessError):
        return error
    if isinstance(error, NotImplementedError):
        raise error
    text = str(error)
    found = _STATUS.search(text)
    status = int(next(filter(None, found.groups()))) if found else None
    code = (_CODE.search(text) or [None, None])[1]
    kind = type(error).__name__
    if code in _WRONG_REGION or "incorrectly configured region" in text:
        return AccessError(_wrong_region(text, asked))
    if code in _NO_BUCKET or (status == 404 and asked.to in ("write", "list")):
        at = f" at {asked.server}" if asked.server else ""
        return AccessError(
            f"{asked.bucket}: there is no such bucket{at}; make it, or name the right one"
        )
    if isinstance(error, FileNotFoundError) or status == 404:
        return MissingObjectError(f"{asked.where}: is not there")
    if status == 412 or kind == "PreconditionError":
        return ChangedObjectError(f"{asked.where}: has changed since it was found")
    # Azure answers such a request with the whole object; the client has words of its own then.
    if status == 416 or "Wanted range starting at" in text:
        return BeyondEndError(f"{asked.where}: ends before what was asked for")
    if status in (401, 403) or isinstance(error, PermissionError):
        return AccessError(_refused(code or str(status or "refused"), asked))
    if code in _FULL or status == 507:
        return AccessError(
            f"{asked.where}: no space left there ({code or status}); free some and run the same "
            "command again"
        )
    if "Missing" in text and ("AccessKeyId" in text or "Account" in text):
        return AccessError(_no_credentials(asked))
    if "169.254." in text:  # asked of a cloud's own machines, in the end
        return AccessError(_no_credentials(asked))
    passes = isinstance(error, TimeoutError | ConnectionError) or status in PASSING
    passes = passes or any(word in text for word in _PASSING_WORDS)
    return AccessError(_trouble(text, status, code, asked), passes=passes)


def _wrong_region(text: str, asked: Asked) -> str:
    expected = _EXPECTED_REGION.search(text)
    its = f"AWS_REGION={expected[1]}" if expected else "AWS_REGION to the bucket's"
    return f"{asked.bucket}: is in another region than {asked.region or 'us-east-1'}: set {its}"


def _refused(code: str, asked: Asked) -> str:
    if code in _WRONG_CREDENTIALS:
        return (
            f"{asked.bucket}: the server does not accept the credentials ({code}): check those in "
            "the environment"
        )
    if code == "RequestTimeTooSkewed":
        return f"{asked.bucket}: refused, because this machine's clock is wrong: set it"
    return (
        f"{asked.where}: access denied ({code}): the credentials in use do not allow to "
        f"{asked.to} there; ask the bucket's owner for that right, or use others"
    )


def _no_credentials(asked: Asked) -> str:
    return (
        f"{asked.bucket}: no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
        "GOOGLE_APPLICATION_CREDENTIALS or AZURE_STORAGE_ACCOUNT_NAME and …_KEY, or "
        "AWS_SKIP_SIGNATURE=true for a public bucket"
    )


def _trouble(text: str, status: int | None, code: str | None, asked: Asked) -> str:
    told = " ".join(str(each) for each in (status, code) if each)
    if status in (429, 503):
        return (
            f"{asked.where}: the server asks for fewer requests ({told}), again and again; run the "
            "same command again later, or with fewer workers"
        )
    if status is not None and status >= 500:
        return f"{asked.where}: the server fails ({told}); run the same command again later"
    server = asked.server or asked.bucket
    unknown = any(word in text for word in _UNKNOWN_NAME)
    if "kind: Connect" in text or unknown:
        why = "its name is unknown" if unknown else "no connection"
        return f"{asked.where}: {server} does not answer ({why}); check the network and the address"
    if "kind: Timeout" in text or "TimedOut" in text:
        return f"{asked.where}: {server} does not answer in time; run the same command again later"
    if any(word in text for word in _PASSING_WORDS):
        return f"{asked.where}: the connection to {server} was cut off; run the same command again"
    first = _NOISE.sub("", text.partition("Debug source")[0].strip().partition("\n")[0])
    first = first.partition(": <")[0]
    return f"{asked.where}: refused ({printable(_QUERY.sub('?…', first))[:_LONGEST]})"
