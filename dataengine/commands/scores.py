"""`dataengine scores`."""

from pathlib import Path
from typing import Annotated

import typer

FIT_EPILOG = """
**Examples**

    dataengine scores fit
    dataengine scores fit --bad-below 0.95
"""

SHOW_EPILOG = """
**Examples**

    dataengine scores show
    dataengine scores show --pictures ./quality
"""

SLICES_EPILOG = """
**Examples**

    dataengine scores slices
    dataengine scores slices --json | jq '.[] | select(.trait == "turn")'
"""

DRIFT_EPILOG = """
**Examples**

    dataengine scores drift
    dataengine scores drift --json | jq '.[-1].signals[] | select(.drifted)'
"""

app = typer.Typer(
    help="Learn from people's decisions which masks are probably bad.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.command("fit", epilog=FIT_EPILOG)
def fit(
    context: typer.Context,
    bad_below: Annotated[
        float,
        typer.Option(
            min=0.01, max=1, metavar="IOU", help="A fixed mask was bad if its IoU is below this."
        ),
    ] = 0.90,
    seed: Annotated[int, typer.Option(min=0, help="Of the cross-validation's folds.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Fit the combined score on all decisions pulled so far, and score every mask with it.

    Bad is what people rejected, or fixed so much that the IoU is below --bad-below. The score is
    the probability of that: a logistic regression, boosted trees or both, whichever
    cross-validation over groups of near-duplicates finds best, calibrated on the masks that were
    drawn at random. Fit again after each round: every fit is kept, with the decisions it was fitted
    on, and voids the certificates of the score before it. `review push --order doubtful` asks about
    the most doubtful masks first.
    """
    from dataengine.console.scoring import run_fit
    from dataengine.context import opened

    with opened(context) as workspace:
        run_fit(workspace, bad_below, seed, as_json=json)


@app.command("show", epilog=SHOW_EPILOG)
def show(
    context: typer.Context,
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write reliability.png and precision-recall.png there.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show the score that holds, and how well it finds bad masks by cross-validation.

    Before the first `scores fit` it is a default: the IoU that the network's own probabilities
    promise.
    """
    from dataengine.console.scoring import print_score, write_pictures
    from dataengine.context import opened
    from pipelines.doubt.scoring import require_score

    with opened(context) as workspace:
        score = require_score(workspace)
        if pictures is not None:
            write_pictures(score, pictures)
        print_score(score, as_json=json)


@app.command("slices", epilog=SLICES_EPILOG)
def slices(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show which kinds of portraits are accepted less often, or found bad more often.

    Thirds of all portraits by size of the face, brightness, sharpness, how far the head is turned
    or tilted, and how far the face is off the photo's centre: how many have a decision, how many of
    those a trusted mask, and how many of the masks that chance chose people found bad, with 95 %
    intervals.
    """
    from dataengine.console.scores import report_slices
    from dataengine.context import opened

    with opened(context) as workspace:
        report_slices(workspace, as_json=json)


@app.command("drift", epilog=DRIFT_EPILOG)
def drift(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Test whether masks of one round look like those of the round before.

    For each round that was frozen, the portraits that came since the round before and those that
    came until the next, each by the first mask that a network made of it, near-duplicates counted
    once: their signals and combined score by Kolmogorov and Smirnov's test, at a false discovery
    rate of 5 % over all signals. A signal has drifted if that is significant and the distance is
    at least 0.1.
    """
    from dataengine.console.scores import report_drift
    from dataengine.context import opened

    with opened(context) as workspace:
        report_drift(workspace, as_json=json)
