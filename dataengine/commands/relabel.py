"""`dataengine relabel`."""

from typing import Annotated

import typer

from dataengine.choices import Device, MethodChoice
from dataengine.commands.shared.cluster_option import OnCluster

EPILOG = """
**Examples**

    dataengine relabel
    dataengine relabel --network bundled
    dataengine relabel --network bundled,sinet:bundled
    dataengine relabel --round 2 --method student
    dataengine relabel --network bundled --on ray
"""


def relabel(
    context: typer.Context,
    round_: Annotated[
        int | None,
        typer.Option(
            "--round",
            min=1,
            metavar="N",
            help="The student of this round, promoted or not.",
            show_default="the current student",
        ),
    ] = None,
    network_: Annotated[
        str | None,
        typer.Option(
            "--network",
            metavar="NETWORK",
            help="Any other network that `ingest` takes, or the mean of several (A,B), instead of "
            "a round's student.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        MethodChoice,
        typer.Option(
            help="mean: of the teacher's and the student's probability; student: its own."
        ),
    ] = MethodChoice.MEAN,
    device: Annotated[Device, typer.Option(help="Where the student runs.")] = Device.AUTO,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0, help="Worker processes; 0 works in this one.", show_default="as it is worth"
        ),
    ] = None,
    on: OnCluster = None,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed", help="Try those again that failed with this student and method."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Let a student propose new masks where the old one was rejected or never reviewed.

    Each portrait gets a new mask revision, which supersedes the one people may be looking at:
    the next `review push` withdraws that question and asks about the new mask. What a person
    accepted or drew is never touched. Stop it with Ctrl-C, kill it, run it again: it goes on where
    it was and does nothing twice. Portraits that fail are listed with their reason.
    """
    import pipelines
    from dataengine.console.relabel import print_relabelled
    from dataengine.console.shared.progress import shown_progress
    from dataengine.console.shared.signals import INTERRUPTED
    from dataengine.context import network, opened

    if round_ is not None and network_ is not None:
        raise typer.BadParameter("give one of them", param_hint="--round, --network")
    request = pipelines.RelabelRequest(
        round=round_,
        network=None if network_ is None else network(context, network_),
        method=pipelines.Method(method.value),
        device=device.value,
        retry_failed=retry_failed,
        on=on,
    )
    engine = {"engine": {"workers": workers}}
    with opened(context, engine) as workspace, shown_progress(stoppable=True) as progress:
        result = pipelines.relabel_portraits(workspace, request, progress)
    print_relabelled(result, as_json=json)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)
