"""`certify` on the command line."""

import json
from pathlib import Path

from pipelines.review.choosing import Order
from pipelines.review.pull import pull_answers
from pipelines.workspace.workspace import Workspace
from tests.dataengine.conftest import Run
from tests.pipelines.review.conftest import push_all
from tests.pipelines.reviewed_workspaces import (
    Prepared,
    answer_all,
    many,
    opened_copy,
    reviewed,
    scored,
    workspace,
)

__all__ = ["many", "reviewed", "scored", "workspace"]  # fixtures
OPTIONS = ("certify", "--max-error", "0.1", "--confidence", "0.9", "--seed", "7")


def test_without_a_score_it_says_what_to_do(run: Run, workspace: Workspace) -> None:
    answer = run("-w", workspace.paths.root, *OPTIONS)
    assert answer.code == 1
    assert answer.err.startswith("error: there is no score fitted on people's decisions")


def test_from_a_drawn_audit_to_accepted_masks(run: Run, scored: Prepared, tmp_path: Path) -> None:
    workspace, gateway = opened_copy(scored, tmp_path)
    root = workspace.paths.root
    begun = run("-w", root, *OPTIONS)
    assert (begun.code, begun.err) == (0, "")
    assert "attempt 1: " in begun.out
    assert "it may err with 5.00%" in begun.out
    assert "nothing is accepted: " in begun.out
    assert "`dataengine review push` asks about the audit" in begun.out
    push_all(workspace, gateway, order=Order.RANDOM, limit=1)
    answer_all(workspace, gateway)
    pull_answers(workspace, gateway=gateway)
    ended = json.loads(run("-w", root, *OPTIONS, "--json").out)
    assert ended["state"] == "certified"
    assert ended["judgement"]["certified"] is True
    assert ended["accepted"] == ended["attempt"]["population"] - ended["judgement"]["errors"]
    assert ended["attempt"]["findings"]["reviewers"] == 1
    refitted = run("-w", root, "scores", "fit")
    assert refitted.err == "attempt 1 to certify is void: its score was replaced\n"
    given_up = run("-w", root, "certify", "--abandon")
    assert given_up.err == "error: no attempt is open\n"
    workspace.close()
