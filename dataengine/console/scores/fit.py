"""`scores fit` on a console."""

from dataengine.console.scores.show import print_score
from dataengine.console.shared.text import say
from pipelines.certify.fitting import Fitted


def print_fitted(found: Fitted, *, as_json: bool) -> None:
    """The score that holds now, and which attempts to certify are void."""
    for number in found.voided:
        say(f"attempt {number} to certify is void: its score was replaced", err=True)
    print_score(found.score, as_json=as_json)
