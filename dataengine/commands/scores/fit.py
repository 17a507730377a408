"""`dataengine scores fit`."""

from typing import Annotated

import typer

from dataengine.commands.shared.cluster_option import OnCluster
from pipelines.workspace.defaults import BAD_BELOW

EPILOG = """
**Examples**

    dataengine scores fit
    dataengine scores fit --bad-below 0.95
    dataengine scores fit --on ray
"""


def fit(
    context: typer.Context,
    bad_below: Annotated[
        float,
        typer.Option(
            min=0.01, max=1, metavar="IOU", help="A fixed mask was bad if its IoU is below this."
        ),
    ] = BAD_BELOW,
    seed: Annotated[int, typer.Option(min=0, help="Of the cross-validation's folds.")] = 0,
    on: OnCluster = None,
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
    import pipelines
    from dataengine.console.scores.fit import print_fitted
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import opened

    request = pipelines.FitRequest(bad_below=bad_below, seed=seed, on=on)
    with opened(context) as workspace, shown_progress() as progress:
        print_fitted(pipelines.fit_scores(workspace, request, progress), as_json=json)
