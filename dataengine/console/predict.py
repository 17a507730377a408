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
        failed = [{"path": str(each.path), "message": each.reason} for each in done.failed]
        counts = {"predicted": done.predicted, "not_predicted": failed}
        print_json({"out": str(done.out), **counts, "warning": done.warning})
    else:
        say(f"{done.predicted:,} files predicted in {done.out}, {len(done.failed):,} failed")
