"""`predict` on a console."""

from dataengine.console.shared.text import print_json, say
from pipelines.networks.predicting import Predicted
from sinet.escaping import printable


def print_predicted(done: Predicted, *, as_json: bool) -> None:
    """How many files were predicted, and why others were not."""
    for failure in done.failed:
        say(f"failed: {printable(failure.reason)}", err=True)
    if done.warning:
        say(f"warning: {done.warning}", err=True)
    if as_json:
        failed = [{"path": str(each.path), "reason": each.reason} for each in done.failed]
        print_json({"out": str(done.out), "predicted": done.predicted, "failed": failed})
    else:
        say(f"{done.predicted:,} files predicted in {done.out}, {len(done.failed):,} failed")
