"""`forget` on a console: what would go, the question, what went and what stays."""

import sys
from collections.abc import Sequence
from functools import partial

import typer

from dataengine.console.shared.text import number_of, print_json, say
from pipelines.lineage.forget import ForgetPlan, Forgotten
from pipelines.portraits.forgotten import Refused
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.uris import uri_path
from sinet.escaping import printable


def print_plan(planned: ForgetPlan, *, as_json: bool) -> None:
    """What goes and what stays."""
    # Standard output is for the JSON, if that is wanted.
    tell = partial(say, err=as_json)
    for name, when in planned.known.items():
        tell(f"{printable(name)}: was forgotten on {when:%Y-%m-%d} already")
    for photo in planned.photos:
        files = [printable(uri_path(uri)) for uri in photo.uris]
        tell(f"{files[0] if files else '(overwritten)'}  {photo.sha256[:16]}…")
        for file in files[1:]:
            tell(f"  also {file}")
        counts = [
            number_of(photo.portraits, "portrait"),
            number_of(photo.masks, "mask"),
            number_of(photo.reviews, "decision"),
            number_of(photo.tasks, "task in Label Studio", "tasks in Label Studio"),
        ]
        tell(f"  {', '.join(counts)}")
        if photo.near_duplicates:
            alike = number_of(photo.near_duplicates, "near-duplicate")
            tell(f"  {alike} of it in the workspace: forget them too, by name")
    if planned.photos:
        tell("Your raw files stay where they are.")
    for release in planned.releases:
        runs = f"; trained on it: {', '.join(release.runs)}" if release.runs else ""
        tell(
            f"Stays in the release {release.name} ({printable(release.path)}): "
            f"{', '.join(release.items)}{runs}"
        )


def confirm(planned: ForgetPlan) -> None:
    """Ask, if there is anything to forget.

    Raises:
        PipelineError: nobody can be asked.
    """
    if not planned.photos:
        return
    if not sys.stdin.isatty():
        raise PipelineError("forget cannot ask here whether it should; say so with --yes")
    number = len(planned.photos)
    what = "this photo" if number == 1 else f"these {number:,} photos"
    typer.confirm(f"Forget {what}? It cannot be undone.", abort=True, err=True)


def print_forgotten(done: Forgotten, *, as_json: bool) -> None:
    """What went, and what is left to the next push or pull."""
    for url, number in done.tasks_waiting.items():
        why = f" ({done.problem})" if done.problem else ""
        say(
            f"warning: {number_of(number, 'task')} on {url} may still be there{why}; the next "
            "`dataengine review pull` or `push` with that server deletes them",
            err=True,
        )
    if as_json:
        print_json(_as_dict(done))
        return
    if done.photos:
        say(_line(done))
    if done.server is not None:
        say(f"Deleted {number_of(done.tasks_deleted, 'task')} on {done.server}")


def print_refused(found: Sequence[Refused], *, as_json: bool) -> None:
    """What was taken for forgotten photos."""
    if as_json:
        print_json(found)
        return
    for each in found:
        say(f"{printable(each.path)}: {printable(each.message)}")
    say(f"{number_of(len(found), 'file')} refused")


def print_lifted(digests: Sequence[str], *, as_json: bool) -> None:
    """What is let in from now on."""
    if as_json:
        print_json({"lifted": digests})
        return
    what = number_of(len(digests), "file")
    say(f"Let {what} in: `dataengine ingest --retry-failed` takes what was refused")


def _line(done: Forgotten) -> str:
    line = f"Forgot {number_of(done.photos, 'photo')}, removed {number_of(done.blobs, 'blob')}"
    if done.by_bytes_alone:
        line += (
            f"; copies of {number_of(done.by_bytes_alone, 'photo')} will not be known, only the "
            "very bytes: too little is to be seen"
        )
    if done.spared:
        line += (
            f"; kept {number_of(done.spared, 'blob')} that a process at work may need: run "
            "`dataengine gc` when it has ended"
        )
    return line


def _as_dict(done: Forgotten) -> dict[str, object]:
    planned = done.planned
    outcome = {**vars(done), "forgotten": done.photos, "forgotten_before": sorted(planned.known)}
    del outcome["planned"], outcome["problem"], outcome["server"]
    return {**outcome, "photos": planned.photos, "releases": planned.releases}
