"""`forget` on a console: what would go, the question, what went and what stays."""

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from dataengine.console.shared.text import number_of, print_json, printable
from db import reader
from pipelines.label_studio.connecting import connect
from pipelines.label_studio.errors import ReviewError
from pipelines.lineage.choosing import choose
from pipelines.lineage.finding import named_digest
from pipelines.lineage.forgetting import Forgot, Plan, forget, plan
from pipelines.portraits.forgotten import admit, refused
from pipelines.review.removals import delete_forgotten, waiting
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.uris import uri_path

if TYPE_CHECKING:
    from pipelines.workspace.workspace import Workspace


def run_forget(workspace: "Workspace", names: list[str], *, yes: bool, as_json: bool) -> None:
    """Find the photos, say what goes, ask, and remove them.

    Raises:
        PipelineError: a name is nothing here; nobody can be asked; an ingest is at work on one.
    """
    with reader(workspace.engine).begin() as connection:
        chosen = choose(connection, names)
        planned = plan(connection, chosen.image_ids)
    # Standard output is for the JSON, if that is wanted.
    say = partial(typer.echo, err=as_json)
    for name, when in chosen.before.items():
        say(f"{printable(name)}: was forgotten on {when:%Y-%m-%d} already")
    _print_plan(planned, say)
    done = Forgot()
    if chosen.image_ids:
        if not yes:
            _ask(len(planned.photos))
        done = forget(workspace, chosen.image_ids)
        say(_done(done))
    tasks = _delete_tasks(workspace, say)
    if as_json:
        outcome = {"forgotten": done.photos, "blobs": done.blobs, "spared": done.spared}
        print_json({**vars(planned), **outcome, **tasks, "known": sorted(chosen.before)})


def run_refused(workspace: "Workspace", *, as_json: bool) -> None:
    """List what was taken for forgotten photos."""
    with reader(workspace.engine).begin() as connection:
        found = refused(connection)
    if as_json:
        print_json(found)
        return
    for each in found:
        typer.echo(f"{printable(each.path)}: {printable(each.message)}")
    typer.echo(f"{number_of(len(found), 'file')} refused")


def run_lift(workspace: "Workspace", names: list[str], *, as_json: bool) -> None:
    """Let files in that were refused.

    Raises:
        PipelineError: one of them was not; then none is let in.
    """
    digests = [named_digest(name) for name in names]
    with workspace.engine.begin() as connection:
        for digest in digests:
            admit(connection, digest)
    if as_json:
        print_json({"lifted": digests})
        return
    what = number_of(len(digests), "file")
    typer.echo(f"Let {what} in: `dataengine ingest --retry-failed` takes what was refused")


def _ask(number: int) -> None:
    if not sys.stdin.isatty():
        raise PipelineError("forget cannot ask here whether it should; say so with --yes")
    what = "this photo" if number == 1 else f"these {number:,} photos"
    typer.confirm(f"Forget {what}? It cannot be undone.", abort=True, err=True)


def _print_plan(planned: Plan, say: Callable[[str], None]) -> None:
    for photo in planned.photos:
        files = [printable(uri_path(uri)) for uri in photo.uris]
        say(f"{files[0] if files else '(overwritten)'}  {photo.sha256[:16]}…")
        for file in files[1:]:
            say(f"  also {file}")
        counts = [
            number_of(photo.portraits, "portrait"),
            number_of(photo.masks, "mask"),
            number_of(photo.reviews, "decision"),
            number_of(photo.tasks, "task in Label Studio", "tasks in Label Studio"),
        ]
        say(f"  {', '.join(counts)}")
        if photo.near_duplicates:
            alike = number_of(photo.near_duplicates, "near-duplicate")
            say(f"  {alike} of it in the workspace: forget them too, by name")
    if planned.photos:
        say("Your raw files stay where they are.")
    for release in planned.releases:
        runs = f"; trained on it: {', '.join(release.runs)}" if release.runs else ""
        say(
            f"Stays in the release {release.name} ({printable(release.path)}): "
            f"{', '.join(release.items)}{runs}"
        )


def _done(done: Forgot) -> str:
    line = f"Forgot {number_of(done.photos, 'photo')}, removed {number_of(done.blobs, 'blob')}"
    if done.by_bytes_alone:
        line += (
            f"; copies of {number_of(done.by_bytes_alone, 'photo')} will not be known, only the "
            "very bytes: too little is to be seen"
        )
    if done.spared:
        line += (
            f"; kept {number_of(len(done.spared), 'blob')} that a process at work may need: run "
            "`dataengine gc` when it has ended"
        )
    return line


def _delete_tasks(workspace: "Workspace", say: Callable[[str], None]) -> dict[str, Any]:
    """Delete the tasks of forgotten photos where the server can be reached, and say what is left.

    Those of earlier calls, too.
    """
    if not waiting(workspace):
        return {"tasks_deleted": 0, "tasks_waiting": {}}
    deleted, problem = 0, ""
    try:
        gateway = connect(workspace)
        deleted = delete_forgotten(workspace, gateway)
        say(f"Deleted {number_of(deleted, 'task')} on {gateway.url}")
    except ReviewError as error:
        problem = f" ({error})"
    left = waiting(workspace)
    for url, number in left.items():
        typer.echo(
            f"warning: {number_of(number, 'task')} on {url} may still be there{problem}; the next "
            "`dataengine review pull` or `push` with that server deletes them",
            err=True,
        )
    return {"tasks_deleted": deleted, "tasks_waiting": left}
