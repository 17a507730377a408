"""`certify` on the command line."""

import json

from pipelines.quality.scoring import fit_scores
from pipelines.review.choosing import Order
from pipelines.review.fake import FakeGateway
from pipelines.review.pull import pull
from pipelines.workspace import Workspace
from tests.dataengine.conftest import Run
from tests.pipelines.quality.conftest import answer_all, decide, gateway, multiply, workspace
from tests.pipelines.review.conftest import push_all

__all__ = ["gateway", "workspace"]  # fixtures
OPTIONS = ("certify", "--max-error", "0.1", "--confidence", "0.9", "--seed", "7")


def test_from_a_drawn_audit_to_accepted_masks(
    run: Run, workspace: Workspace, gateway: FakeGateway
) -> None:
    root = workspace.paths.root
    answer = run("-w", root, *OPTIONS)
    assert answer.code == 1
    assert answer.err.startswith("error: there is no score fitted on people's decisions")
    decide(workspace, gateway)
    fit_scores(workspace, 0.9)
    multiply(workspace, 120)
    begun = run("-w", root, *OPTIONS)
    assert (begun.code, begun.err) == (0, "")
    assert "attempt 1: " in begun.out
    assert "it may err with 5.00%" in begun.out
    assert "nothing is accepted: " in begun.out
    assert "`dataengine review push` asks about the audit" in begun.out
    push_all(workspace, gateway, order=Order.RANDOM, limit=1)
    answer_all(workspace, gateway)
    pull(workspace, gateway)
    ended = json.loads(run("-w", root, *OPTIONS, "--json").out)
    assert ended["state"] == "certified"
    assert ended["judgement"]["certified"] is True
    assert ended["accepted"] == ended["attempt"]["population"] - ended["judgement"]["errors"]
    given_up = run("-w", root, "certify", "--abandon")
    assert given_up.err == "error: no attempt is open\n"
