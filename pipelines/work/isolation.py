"""Items of a batch kept apart: one that fails takes no neighbour with it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from pipelines.workspace.errors import ItemError, PipelineError

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def attempt(work: Callable[[_In], _Out], item: _In) -> _Out | ItemError:
    """Run one item's work; whatever is its own fault becomes its error."""
    try:
        return work(item)
    except ItemError as error:
        return error
    except PipelineError:
        raise
    except Exception as error:  # an unforeseen failure of one item must not end the run
        return _unforeseen(error)


def through(
    items: Sequence[_In | ItemError],
    work: Callable[[Sequence[_In]], Sequence[_Out | ItemError]],
) -> list[_Out | ItemError]:
    """Run a batch's work on the items that got this far; one by one if the batch fails.

    Work that cannot go on without an item raises that item's `ItemError`, whichever it is.
    """
    ready = [item for item in items if not isinstance(item, ItemError)]
    try:
        done = iter(work(ready) if ready else [])
    except Exception as error:  # find out whose fault it was
        if isinstance(error, PipelineError) and not isinstance(error, ItemError):
            raise
        if len(ready) == 1:
            done = iter([error if isinstance(error, ItemError) else _unforeseen(error)])
        else:
            done = iter([through([item], work)[0] for item in ready])
    return [item if isinstance(item, ItemError) else next(done) for item in items]


def _unforeseen(error: Exception) -> ItemError:
    text = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    return ItemError("unexpected_error", f"unexpected {what}; please report it with the file")
