"""One process at a time, wherever it runs; who is waited for is named."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from db import Holder, owners, reader, session_lock, transact
from pipelines.workspace.errors import BusyError
from pipelines.workspace.workspace import Workspace

PUSH: Final = "review-push", "a push is at work"
"""Lock and what is going on: questions are being sent, or must not be."""


@contextmanager
def exclusive(workspace: Workspace, name: str, what: str) -> Iterator[None]:
    """Hold a lock of the workspace; a dead process's is taken over.

    Args:
        workspace: opened to write.
        name: of the lock.
        what: is going on while somebody holds it, for people: ``a push is at work``.

    Raises:
        BusyError: another process holds it, or this one does already.
    """
    with session_lock(workspace.engine, name) as is_ours:
        if not is_ours:
            with reader(workspace.engine).begin() as connection:
                holder = owners.holder(connection, name)
            raise _busy(workspace, what, holder)
        holder = _take(workspace, name)
        if holder is not None:
            workspace.presence.wait_until_known([holder.owner.name])
            workspace.clear_up_after_the_dead()
            holder = _take(workspace, name)
        if holder is not None:
            raise _busy(workspace, what, holder)
        try:
            yield
        finally:
            transact(
                workspace.engine,
                lambda connection: owners.free(connection, name, workspace.owner),
            )


def _busy(workspace: Workspace, what: str, holder: Holder | None) -> BusyError:
    who = "another process"  # it was taken for dead, or has just come
    if holder is not None:
        owner = holder.owner
        since = f"since {holder.since:%Y-%m-%d %H:%M} UTC"
        who = f"`{owner.command}`, process {owner.pid} on {owner.host}, {since}"
    return BusyError(f"{workspace.paths.root}: {what}: {who}; wait for its end")


def _take(workspace: Workspace, name: str) -> Holder | None:
    with workspace.engine.begin() as connection:
        return owners.take(connection, name, workspace.owner)
