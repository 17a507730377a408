"""A click on the labeling screen mends the mask of the question that is open there.

Label Studio does not tell what the mask is when somebody clicks. It is what we answered last, or
what the draft says, which is saved some seconds later: whichever of them knows more.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from db import reader
from pipelines.label_studio.interaction import Ask, Drawn, Mask, UnansweredError, answer, read_ask
from pipelines.label_studio.screen import MASK
from pipelines.pictures.decode import decode
from pipelines.pictures.stored_masks import read_mask
from pipelines.review import ledger
from pipelines.workspace.workspace import Workspace
from sinet.clicks.click import Mark

if TYPE_CHECKING:
    from sinet.clicks.mending import Canvas, Mender

_KEPT: Final = 32
"""Pictures that are ready for clicks, and masks that were answered: some 4 MB each."""

_UNSAVED_SECONDS: Final = 8.0
"""So long after an answer the draft may not hold it yet: the screen saves every 5 seconds."""


@dataclass(frozen=True, kw_only=True)
class _Open:
    """A question that somebody may click into."""

    canvas: "Canvas"
    shown: Mask


@dataclass(frozen=True, kw_only=True)
class _Given:
    """What was answered last about a question.

    Attributes:
        number: of the answer.
        at: when, in monotonic seconds.
        begun: the mask that it began with, and the marks before.
        names: of the marks that were on the screen.
        saw: when the draft was saved that it was given in sight of; None: there was none.
        mask: that was given.
        marks: all that led to it.
    """

    number: str
    at: float
    begun: tuple[Mask, Sequence[Mark]]
    names: frozenset[str]
    saw: str | None
    mask: Mask
    marks: Sequence[Mark]


class Mending:
    """Answers what Label Studio asks about clicks; of a workspace's questions and no others."""

    def __init__(
        self,
        workspace: Workspace,
        mender: "Mender | None" = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take a workspace.

        Args:
            workspace: opened.
            mender: the network; None: the one that is shipped, loaded when it is first wanted.
            clock: monotonic seconds.
        """
        self._workspace, self._clock = workspace, clock
        self._loaded = mender
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._given: OrderedDict[str, _Given] = OrderedDict()
        self._lock = Lock()

    def warm_up(self) -> None:
        """Load the network, and let it run once."""
        with self._lock:
            canvas = self._mender.canvas(np.zeros((64, 64, 3), np.uint8))
            self._mender.mend(canvas, np.zeros((64, 64), np.bool_), ())

    @property
    def _mender(self) -> "Mender":
        if self._loaded is None:
            from sinet.clicks.mending import Mender

            self._loaded = Mender()
        return self._loaded

    def answer(self, request: Any) -> dict[str, Any]:
        """Answer a request to predict.

        Args:
            request: its JSON.

        Returns:
            JSON: the mask as it is after the last click.

        Raises:
            UnansweredError: it is no click into a question of this workspace.
            WorkspaceError: a blob is missing or damaged.
        """
        ask = read_ask(request)
        with self._lock:  # one core is one click at a time
            question = self._opened(ask.key)
            return self._mended(ask, question)

    def _mended(self, ask: Ask, question: _Open) -> dict[str, Any]:
        before, earlier = self._before(ask, question.shown)
        marks = [*earlier, *ask.marks.values()]
        mask = self._mender.mend(question.canvas, before, marks)
        number = secrets.token_hex(4)
        self._given[ask.key] = _Given(
            number=number,
            at=self._clock(),
            begun=(before, earlier),
            names=frozenset(ask.marks),
            saw=None if ask.draft is None else ask.draft.saved,
            mask=mask,
            marks=marks,
        )
        _trim(self._given)
        regions = [MASK] if ask.draft is None else ask.draft.regions
        return dict(answer(mask, regions, number, marks))

    def _before(self, ask: Ask, shown: Mask) -> tuple[Mask, Sequence[Mark]]:
        """The mask on the screen, and the marks that led to it."""
        given, draft = self._given.get(ask.key), ask.draft
        if draft is not None and draft.pixels.shape != shown.shape:
            raise UnansweredError("the draft's mask has another size than the portrait")
        if given is not None and given.names < ask.marks.keys():
            # The earlier marks are still there: what was suggested has not been taken.
            return given.begun
        is_fresh = given is not None and self._clock() - given.at < _UNSAVED_SECONDS
        if given is not None and is_fresh and _is_older(draft, given):
            return given.mask, given.marks
        if draft is not None:
            return draft.pixels, draft.marks
        return shown, ()

    def _opened(self, key: str) -> _Open:
        """The question of a key, ready for clicks."""
        if (known := self._open.get(key)) is not None:
            self._open.move_to_end(key)
            return known
        with reader(self._workspace.engine).begin() as connection:
            found = ledger.questions(connection, keys=[key])
        if not found:
            raise UnansweredError("this workspace has not asked that question")
        store, settings = self._workspace.store, self._workspace.settings
        picture = decode(
            store.get(found[0].portrait_blob), max_pixels=settings.decode.max_pixels
        ).rgb
        opened = _Open(
            canvas=self._mender.canvas(picture), shown=read_mask(store, found[0].mask_blob)
        )
        self._open[key] = opened
        _trim(self._open)
        return opened


def _is_older(draft: Drawn | None, given: _Given) -> bool:
    """Whether a draft was saved before the screen had an answer."""
    if draft is None or draft.saved == given.saw:
        return True
    # Marks are on the screen until their answer comes.
    return bool(draft.pending & given.names)


def _trim(kept: "OrderedDict[str, Any]") -> None:
    while len(kept) > _KEPT:
        kept.popitem(last=False)
