"""`scores show` on a console."""

from dataengine.console.shared.text import print_json, say
from pipelines.doubt.scoring import KnownScore
from pipelines.doubt.summary import summary


def print_score(score: KnownScore, *, as_json: bool) -> None:
    """Which score holds, what it was fitted on, and how well it finds bad masks."""
    found = summary(score)
    if as_json:
        print_json(found)
        return
    if not score.review_ids:
        say(
            "the default score: nothing was fitted yet (`dataengine scores fit` once people have "
            "decided)"
        )
        return
    say(
        f"score {score.id} ({score.kind}), fitted {score.created_at:%Y-%m-%d %H:%M} on "
        f"{found['masks']:,} masks, {found['bad']:,} of them bad "
        f"(rejected, or fixed with IoU below {score.bad_below:g})"
    )
    for kind, number in score.evidence.richer.items():
        say(f"{number:,} of them were judged with {kind}, too, and so are others like them")
    if score.evidence.calibrated_on:
        say(f"calibrated on {score.evidence.calibrated_on:,} masks drawn at random")
    else:
        say(
            "not calibrated: too few of the masks drawn at random are bad, or good; the order of "
            "masks is right, the probabilities may not be"
        )
    say(f"by cross-validation: AUROC {found['auroc']:.3f}")
    say(f"  the first masks it asks about are bad {found['lift']:.1f} × as often as any")
    for error, share in found["acceptable"].items():
        say(f"  {share:.0%} of these masks can be accepted with {float(error):.0%} bad")
