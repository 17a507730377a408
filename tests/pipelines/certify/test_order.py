"""The same photos and seed: the same score and audit, in whatever order they came."""

import shutil
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from db import Image, Mask, Portrait
from pipelines.certify import attempts as ledger
from pipelines.certify.certifying import CertifyRequest, certify_masks
from pipelines.doubt.scoring import fit_combined_score
from pipelines.label_studio.fake import FakeGateway
from pipelines.portraits.content_order import in_content_order
from pipelines.review.choosing import Order
from pipelines.review.pull import pull_answers
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.conftest import Crawl
from tests.pipelines.review.conftest import push_all
from tests.pipelines.reviewed_workspaces import NUMBER, multiply, portrait_of_key


def photos_of(workspace: Workspace) -> dict[int, str]:
    """SHA-256 of the photo of each portrait."""
    query = sa.select(Portrait.id, Image.sha256).join(Image, Image.id == Portrait.image_id)
    with workspace.engine.begin() as connection:
        return {row.id: row.sha256 for row in connection.execute(query)}


def audited(root: Path, *, backwards: bool) -> tuple[str, list[str]]:
    """The score that is fitted, and the photos that an audit asks about, in the order of the draw.

    People answer by what a photo is, so alike in both.
    """
    with closing(Workspace(root, load_settings(root))) as workspace:
        multiply(workspace, NUMBER, backwards=backwards)
        gateway = FakeGateway()
        push_all(workspace, gateway, order=Order.RANDOM, limit=None)
        photo = photos_of(workspace)
        of_key = portrait_of_key(workspace)
        for task in gateway.tasks.values():
            looks_bad = int(photo[of_key[task.key]], 16) % 3 == 0
            gateway.answer(task.id, "reject" if looks_bad else "accept")
        pull_answers(workspace, gateway=gateway)
        score = fit_combined_score(workspace, 0.9, seed=3)
        multiply(workspace, 3 * NUMBER, backwards=backwards)
        request = CertifyRequest(max_error=0.5, confidence=0.9, bad_below=0.9, seed=7)
        attempt = certify_masks(workspace, request).attempt
        photo = photos_of(workspace)
        with workspace.engine.begin() as connection:
            rows = connection.execute(sa.select(Mask.id, Mask.portrait_id))
            of_mask = {row.id: row.portrait_id for row in rows}
            drawn = [photo[of_mask[each]] for each in ledger.drawn(connection, attempt)]
        return score.model.to_json(), drawn


def test_neither_the_score_nor_the_audit_depends_on_the_order_in_which_photos_came(
    ingested: Crawl, tmp_path: Path
) -> None:
    found = []
    for name, backwards in (("there", False), ("back", True)):
        root = Path(shutil.copytree(ingested.workspace, tmp_path / name))
        found.append(audited(root, backwards=backwards))
    (score, drawn), (other_score, other_drawn) = found
    assert score == other_score
    assert drawn == other_drawn
    assert len(drawn) > 10


def test_masks_stand_in_the_order_of_their_photos_hashes(ingested: Crawl) -> None:
    with (
        closing(Workspace(ingested.workspace, load_settings(ingested.workspace))) as workspace,
        workspace.engine.begin() as connection,
    ):
        query = sa.select(Mask.id, Image.sha256, Portrait.ordinal).select_from(Mask)
        query = query.join(Portrait, Portrait.id == Mask.portrait_id)
        query = query.join(Image, Image.id == Portrait.image_id)
        of = {row.id: (row.sha256, row.ordinal) for row in connection.execute(query)}
        ordered = in_content_order(connection, sorted(of, reverse=True))
    assert [of[mask_id] for mask_id in ordered] == sorted(of.values())
    assert set(ordered) == set(of)
