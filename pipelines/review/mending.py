"""A click on the labeling screen mends the mask of the question that is open there.

Label Studio does not tell what the mask is when somebody clicks. It is what we answered last, or
what the draft says, which is saved some seconds later: whichever of them knows more.

What was painted or erased by hand has the last word: it overrules earlier marks, and stays as it is
whatever the network makes of later ones, unless they are on it.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from db import reader
from pipelines.label_studio.interaction import Ask, Drawn, Mask, UnansweredError, answer, read_ask
from pipelines.label_studio.screen import MASK
from pipelines.pictures.decode import decode
from pipelines.pictures.stored_masks import read_mask
from pipelines.review import ledger
from pipelines.workspace.workspace import Workspace
from sinet.clicks.click import Click, Mark

if TYPE_CHECKING:
    from sinet.clicks.mending import Canvas, Mender

_KEPT: Final = 32
"""Pictures that are ready for clicks, and masks that were answered: some 8 MB each."""

_UNSAVED_SECONDS: Final = 8.0
"""So long after an answer the draft may not hold it yet: the screen saves every 5 seconds."""


@dataclass(frozen=True, kw_only=True)
class _Open:
    """A question that somebody may click into."""

    canvas: "Canvas"
    shown: Mask


@dataclass(frozen=True, kw_only=True)
class _State:
    """A mask at some moment.

    Attributes:
        mask: (H, W) bool.
        marks: all that led to it.
        by_hand: (H, W) bool: where strokes have the word.
    """

    mask: Mask
    marks: Sequence[Mark]
    by_hand: Mask


@dataclass(frozen=True, kw_only=True)
class _Given:
    """What was answered last about a question.

    Attributes:
        at: when, in monotonic seconds.
        begun: what it began with.
        names: of the marks that were on the screen.
        saw: when the draft was saved that it was given in sight of; None: there was none.
        state: that was given.
        hands: of this answer and those before, by number: where strokes had the word, in bits.
    """

    at: float
    begun: _State
    names: frozenset[str]
    saw: str | None
    state: _State
    hands: "OrderedDict[str, NDArray[np.uint8]]"


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
        begun = self._begun(ask, question.shown)
        new = list(ask.marks.values())
        heeded = [*(each for each in begun.marks if _stands(each, begun.mask)), *new]
        by_hand = _left_to(begun.by_hand, new)
        mended = self._mender.mend(question.canvas, begun.mask, heeded)
        mask = np.where(by_hand, begun.mask, mended)
        given = _State(mask=mask, marks=[*begun.marks, *new], by_hand=by_hand)
        number = secrets.token_hex(4)
        former = self._given.get(ask.key)
        hands = OrderedDict() if former is None else former.hands
        hands[number] = np.packbits(by_hand)
        _trim(hands)
        self._given[ask.key] = _Given(
            at=self._clock(),
            begun=begun,
            names=frozenset(ask.marks),
            saw=None if ask.draft is None else ask.draft.saved,
            state=given,
            hands=hands,
        )
        _trim(self._given)
        regions = [MASK] if ask.draft is None else ask.draft.regions
        return dict(answer(mask, regions, number, given.marks))

    def _begun(self, ask: Ask, shown: Mask) -> _State:
        """The mask on the screen, with all that led to it."""
        given, draft = self._given.get(ask.key), ask.draft
        if draft is not None and draft.pixels.shape != shown.shape:
            raise UnansweredError("the draft's mask has another size than the portrait")
        if given is not None and given.names < ask.marks.keys():
            # The earlier marks are still there: what was suggested has not been taken.
            return given.begun
        is_fresh = given is not None and self._clock() - given.at < _UNSAVED_SECONDS
        if given is not None and is_fresh and _is_older(draft, given):
            return given.state
        if draft is not None:
            hand = draft.by_hand
            if given is not None and (bits := given.hands.get(draft.answer or "")) is not None:
                earlier = np.unpackbits(bits, count=hand.size).reshape(hand.shape)
                hand = hand | earlier.astype(np.bool_)
            return _State(mask=draft.pixels, marks=draft.marks, by_hand=hand)
        return _State(mask=shown, marks=(), by_hand=np.zeros_like(shown))

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


def _stands(mark: Mark, mask: Mask) -> bool:
    """Whether an earlier mark still holds: no stroke has gone over it since."""
    if isinstance(mark, Click):
        return bool(mask[mark.pixel(mask.shape)] == mark.positive)
    return not bool((mask & ~mark.covers((mask.shape[0], mask.shape[1]))).any())


def _left_to(by_hand: Mask, marks: Sequence[Mark]) -> Mask:
    """Where strokes still have the word after later marks.

    Args:
        by_hand: (H, W) bool.
        marks: a click on a stroke is about all of it, and a box about all that is outside.
    """
    if not by_hand.any():
        return by_hand
    _, strokes = cv2.connectedComponents(by_hand.view(np.uint8))
    left = by_hand
    for mark in marks:
        if isinstance(mark, Click):
            left = left & (strokes != strokes[mark.pixel(by_hand.shape)])
        else:
            left = left & mark.covers((by_hand.shape[0], by_hand.shape[1]))
    return np.asarray(left)


def _is_older(draft: Drawn | None, given: _Given) -> bool:
    """Whether a draft was saved before the screen had an answer."""
    if draft is None or draft.saved == given.saw:
        return True
    # Marks are on the screen until their answer comes.
    return bool(draft.pending & given.names)


def _trim(kept: "OrderedDict[str, Any]") -> None:
    while len(kept) > _KEPT:
        kept.popitem(last=False)
