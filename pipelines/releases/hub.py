"""Datasets on the Hugging Face Hub: what a repository holds, and one commit that changes it.

Everything goes up in one commit, so that nobody ever sees half a release, and the commit gets a tag
of the release's name. Every step first looks at what is there: what was cut off goes on, and what
is whole is left alone.
"""

import hashlib
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from db import chunks
from pipelines.releases.hub_errors import HubError, refusal
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.progress import Progress
from sinet.files.releases import CHECKSUMS_FILE, MANIFEST_FILE

EXTRA: Final = "pip install 'portrait-dataengine[hub]'"
_DATASET: Final = "dataset"
_REPO: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_SILENCE_SECONDS: Final = 60.0
_LONGEST_PAUSE_SECONDS: Final = 300
_MANY: Final = 100_000
_OWN: Final = frozenset({".gitattributes"})
"""What the Hub itself puts into a repository."""
_MARKS: Final = frozenset({CHECKSUMS_FILE, MANIFEST_FILE})
"""By these a repository that holds a release is known."""
_TOGETHER: Final = 10
"""Files sent side by side."""
_PIECE_BYTES: Final = 1024**2


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """A file on its way.

    Attributes:
        name: its path in the repository.
        path: where it lies.
        size: in bytes.
        sha256: what it has to be.
    """

    name: str
    path: Path
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Upload:
    """What a repository shall hold.

    Attributes:
        repo: ``OWNER/NAME``.
        tag: of the commit.
        public: who may see the repository, if it has to be made: everybody.
        files: all of them.
        is_ours: whether a file of this name in the repository is of an earlier upload: then it goes
            if it is not among `files`. Others stay.
    """

    repo: str
    tag: str
    public: bool
    files: Sequence[HubFile]
    is_ours: Callable[[str], bool]


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What is left to do.

    Attributes:
        creates: the repository has to be made.
        head: commit that its branch `main` is at; None: there is no repository yet.
        commits: files differ.
        removed: names of files that go.
        tagged: the commit that has the tag; None: none has.
    """

    creates: bool
    head: str | None
    commits: bool
    removed: Sequence[str]
    tagged: str | None

    @property
    def nothing(self) -> bool:
        """Whether everything is there."""
        return self.tagged is not None


def check_repo(repo: str) -> None:
    """Refuse what cannot be a repository's name.

    Raises:
        HubError: it cannot.
    """
    if not _REPO.fullmatch(repo) or "--" in repo or ".." in repo:
        raise HubError(f"{repo!r}: is no name of a repository on the Hub; give OWNER/NAME")


class Hub:
    """The Hub, asked in the name of whoever's token it is."""

    def __init__(self) -> None:
        """Find token and address; nothing is asked yet.

        The token is `huggingface_hub`'s: HF_TOKEN, or what `hf auth login` has kept.

        Raises:
            HubError: the package is not installed or too old, or there is no token.
        """
        try:
            import huggingface_hub

            self._set_client_factory = huggingface_hub.set_client_factory
        except (ImportError, AttributeError):
            raise HubError(
                f"publishing needs the Python package huggingface_hub, 1.0 or later: `{EXTRA}`"
            ) from None
        try:
            token = huggingface_hub.get_token()
        except (OSError, ValueError):
            token = None
        if token is None:
            raise HubError(
                "no token for the Hugging Face Hub: set HF_TOKEN, or run `hf auth login`"
            )
        if not all("!" <= character <= "~" for character in token):
            raise HubError(
                "HF_TOKEN, or what `hf auth login` kept, holds characters that no token has; copy "
                "it again"
            )
        self._token = token
        self._api = huggingface_hub.HfApi(token=self._token)
        self.endpoint = self._api.endpoint

    def url(self, repo: str) -> str:
        """Where people see a dataset."""
        return f"{self.endpoint}/datasets/{repo}"

    @contextmanager
    def asking(self, repo: str) -> Iterator[None]:
        """While this lasts, requests are bounded in time and go nowhere but where they belong.

        The token goes to the Hub's own address only, whatever its answers say; no answer leads a
        request elsewhere.

        Raises:
            HubError: whatever went wrong within.
        """
        from huggingface_hub import get_session
        from huggingface_hub.utils import (
            are_progress_bars_disabled,
            disable_progress_bars,
            enable_progress_bars,
            logging,
        )

        plain = get_session()
        kind: Any = type(plain)
        hooks = dict(plain.event_hooks)
        guarded = {
            "request": [*hooks.get("request", ()), self._keep_token],
            "response": [*hooks.get("response", ()), self._stay],
        }

        def client(hooks: Any, seconds: float | None) -> Any:
            return kind(event_hooks=hooks, follow_redirects=True, timeout=seconds)

        level, silent = logging.get_verbosity(), are_progress_bars_disabled()
        self._set_client_factory(lambda: client(guarded, _SILENCE_SECONDS))
        logging.set_verbosity(logging.ERROR)
        if not silent:
            disable_progress_bars()
        try:
            yield
        except PipelineError:
            raise
        except Exception as error:
            # Without its cause, which may hold a header.
            raise refusal(error, endpoint=self.endpoint, repo=repo, token=self._token) from None
        finally:
            if not silent:
                enable_progress_bars()
            logging.set_verbosity(level)
            self._set_client_factory(lambda: client(hooks, None))

    def steps(self, upload: Upload) -> Steps:
        """What is to be done so that a repository holds what it shall; within `asking`.

        Raises:
            HubError: it holds something else, is seen by others than it shall be, or has the tag
                for something else.
        """
        self._api.whoami()
        head = self._head(upload)
        if head is None:
            return Steps(creates=True, head=None, commits=True, removed=(), tagged=None)
        refs = self._api.list_repo_refs(upload.repo, repo_type=_DATASET)
        tagged = next((each.target_commit for each in refs.tags if each.name == upload.tag), None)
        if tagged is not None:
            if self._different(upload, _commit(tagged)):
                raise HubError(
                    f"{upload.repo}: its tag {upload.tag} is another release, and a tag never "
                    "changes; publish to another repository"
                )
            return Steps(creates=False, head=head, commits=False, removed=(), tagged=tagged)
        held = self._held(upload.repo, head)
        foreign = sorted(held.keys() - _OWN)
        if foreign and not held.keys() >= _MARKS:
            raise HubError(
                f"{upload.repo}: holds something else than a release ({foreign[0]}, …); publish to "
                "an empty repository, or to one that holds a release"
            )
        wanted = {each.name for each in upload.files}
        removed = [each for each in foreign if each not in wanted and upload.is_ours(each)]
        commits = bool(removed) or self._different(upload, head, held) is not None
        return Steps(creates=False, head=head, commits=commits, removed=removed, tagged=None)

    def carry_out(
        self, upload: Upload, steps: Steps, last_check: Callable[[], None], progress: Progress
    ) -> str:
        """Do what is left to do; within `asking`.

        Args:
            upload: what the repository shall hold.
            steps: as `steps` found them.
            last_check: called when all is sent and nothing can be seen yet; raises to stop.
            progress: told of every file.

        Returns:
            The commit that has the tag.

        Raises:
            HubError: anything is refused, or is not what it should be afterwards.
        """
        if steps.tagged is not None:
            return steps.tagged
        head = steps.head
        if steps.creates:
            self._api.create_repo(upload.repo, repo_type=_DATASET, private=not upload.public)
            head = self._head(upload)
        assert head is not None
        commit = self._commit(upload, steps, head, last_check, progress) if steps.commits else head
        if wrong := self._different(upload, commit):
            raise HubError(
                f"{upload.repo}: says that it has taken the release, but {wrong} is not what was "
                "sent; nothing was tagged: look at the repository, and run the same command again"
            )
        message = f"{upload.tag}: {len(upload.files)} files"
        self._api.create_tag(
            upload.repo, tag=upload.tag, tag_message=message, revision=commit, repo_type=_DATASET
        )
        return commit

    def _commit(
        self,
        upload: Upload,
        steps: Steps,
        head: str,
        last_check: Callable[[], None],
        progress: Progress,
    ) -> str:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        progress.begin(f"sending to {upload.repo}", len(upload.files), "files")
        additions = []
        for some in chunks(upload.files, _TOGETHER):
            adding = [CommitOperationAdd(each.name, each.path) for each in some]
            for file, add in zip(some, adding, strict=True):
                if add.upload_info.sha256.hex() != file.sha256:
                    raise HubError(f"{file.path}: was changed while it was sent; try `verify`")
            # What the Hub has already, from a run that was cut off, it does not ask for again.
            self._api.preupload_lfs_files(upload.repo, adding, repo_type=_DATASET)
            additions += adding
            progress.advance(len(some))
        last_check()
        gone = [CommitOperationDelete(path_in_repo=name, is_folder=False) for name in steps.removed]
        done = self._api.create_commit(
            upload.repo,
            [*additions, *gone],
            commit_message=f"Release {upload.tag}",
            repo_type=_DATASET,
            parent_commit=head,
        )
        return _commit(done.oid)

    def _head(self, upload: Upload) -> str | None:
        """Where `main` is; None: there is no such repository."""
        from huggingface_hub.errors import HfHubHTTPError

        try:
            found = self._api.repo_info(upload.repo, repo_type=_DATASET)
        except HfHubHTTPError as error:
            if error.response.status_code != 404:
                raise
            return None
        if found.private is not (not upload.public):
            what, then = (
                ("private", "without --public, or make it public on its page")
                if upload.public
                else ("public", "with --public, or to another repository")
            )
            raise HubError(f"{upload.repo}: is {what}; publish {then}")
        return _commit(found.sha)

    def _held(self, repo: str, revision: str) -> dict[str, Any]:
        """Files of a revision by name."""
        from huggingface_hub.hf_api import RepoFile

        tree = self._api.list_repo_tree(repo, recursive=True, revision=revision, repo_type=_DATASET)
        found = list(itertools.islice(tree, _MANY + 1))
        if len(found) > _MANY:
            raise HubError(f"{repo}: holds more than {_MANY:,} files: that is no release")
        return {each.path: each for each in found if isinstance(each, RepoFile)}

    def _different(
        self, upload: Upload, revision: str, held: dict[str, Any] | None = None
    ) -> str | None:
        """The first file that a revision does not hold as it shall be; None: all are there."""
        there = self._held(upload.repo, revision) if held is None else held
        return next(
            (each.name for each in upload.files if not _is_same(each, there.get(each.name))), None
        )

    def _keep_token(self, request: Any) -> None:
        """No token to anybody else, whatever address an answer gave."""
        url = str(request.url)
        if "authorization" in request.headers and not _same_place(url, self.endpoint):
            raise HubError(
                f"{self.endpoint}: wants the token sent to {_place(url)}; nothing was sent there"
            )

    def _stay(self, response: Any) -> None:
        """No request is sent on to somebody else, and no pause is endless."""
        if response.has_redirect_location:
            target = urljoin(str(response.url), response.headers["location"])
            if not _same_place(target, str(response.url)):
                raise HubError(
                    f"{_place(str(response.url))}: sends on to {_place(target)}; nothing was sent "
                    "there: check HF_ENDPOINT"
                )
        pause = response.headers.get("retry-after", "")
        if pause.isdecimal() and int(pause) > _LONGEST_PAUSE_SECONDS:
            raise HubError(
                f"{self.endpoint}: asks for fewer requests, and to come back in {int(pause):,} "
                "seconds; run the same command again then"
            )


def _is_same(file: HubFile, held: Any) -> bool:
    if held is None or held.size != file.size:
        return False
    if held.lfs is not None:
        return bool(held.lfs.sha256 == file.sha256)
    whole = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    with file.path.open("rb") as opened:
        while piece := opened.read(_PIECE_BYTES):
            whole.update(piece)
    return bool(held.blob_id == whole.hexdigest())


def _commit(text: object) -> str:
    """A commit as a server names it."""
    if not isinstance(text, str) or not _COMMIT.fullmatch(text):
        raise ValueError("a commit without its hash")
    return text


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _same_place(url: str, other: str) -> bool:
    """Scheme, host and port are the same."""

    def place(text: str) -> tuple[str, str | None, int | None]:
        parts = urlsplit(text)
        return (
            parts.scheme,
            parts.hostname,
            parts.port or {"https": 443, "http": 80}.get(parts.scheme),
        )

    return place(url) == place(other)
