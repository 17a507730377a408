"""`dataengine confirm`."""

from pathlib import Path
from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine confirm ./raw/cat.jpg ./raw/cup.jpg --by ann
    dataengine confirm nobody.txt --by ann
    dataengine confirm --audit --max-error 0.05 --out sample.txt
    dataengine confirm sample.txt --audit --by ann
    dataengine export --out ./portraits --negatives
"""


def confirm(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH...",
            help="Photos that were ingested: files, folders, lists of paths, archives, addresses.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who looked at them.", show_default=False)
    ] = None,
    audit: Annotated[
        bool,
        typer.Option(
            "--audit",
            help="Draw a random sample of the photos without a face; with PATH and --by, judge it.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where the sample's list is written.", show_default=False
        ),
    ] = None,
    max_error: Annotated[
        float, typer.Option(help="The share with somebody that an audit is to rule out.")
    ] = 0.01,
    confidence: Annotated[float, typer.Option(help="With which it is ruled out.")] = 0.95,
    seed: Annotated[
        int | None, typer.Option(help="Of the draw.", show_default="another each time")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Say that nobody is in these photos, so that they may be released as negatives.

    A photo in which no face was found may still show somebody, from behind: look at it first. What
    is confirmed goes into `export --negatives` with an empty mask, split and grouped like
    portraits. Photos with a face are refused.

    Instead of all of them, --audit lists a random sample. Look at its photos, take out the lines of
    those with somebody, and give the list back with --audit: if few enough were taken out, the rest
    of the photos without a face become negatives, too, but never in `test`.
    """
    if paths and by is None:
        raise typer.BadParameter("say who looked at them", param_hint="--by")
    if not paths and (by is not None or not audit):
        raise typer.BadParameter("name the photos that nobody is in", param_hint="PATH...")
    if audit and not paths and out is None:
        raise typer.BadParameter("say where the list goes", param_hint="--out")
    import pipelines
    from dataengine.console.confirm import print_confirmed, print_drawn, print_judged
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import opened

    if not paths:
        assert out is not None
        wanted = pipelines.AuditRequest(max_error=max_error, confidence=confidence, seed=seed)
        with opened(context) as workspace:
            print_drawn(pipelines.draw_negative_audit(workspace, wanted), out, as_json=json)
        return
    request = pipelines.ConfirmRequest(paths=paths, by=by or "")
    with opened(context) as workspace, shown_progress() as progress:
        if audit:
            judged = pipelines.judge_negative_audit(workspace, request, progress)
        else:
            found = pipelines.confirm_faceless(workspace, request, progress)
    if audit:
        print_judged(judged, as_json=json)
    else:
        print_confirmed(found, as_json=json)
