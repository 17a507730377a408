"""Between stages, which know plain values, and the tables: what a portrait's label is made from."""

from db import MaskSource
from pipelines.masks.judging import JudgedMask, PortraitInput
from pipelines.portraits.rows import NewMask, PortraitRecord
from pipelines.workspace.store import BlobKind, Store


def portrait_input(store: Store, portrait: PortraitRecord) -> PortraitInput:
    """Read a portrait's crop.

    Raises:
        WorkspaceError: its blob is missing or damaged.
    """
    return PortraitInput(store.get(portrait.blob), portrait.face, portrait.others, portrait.reasons)


def stored_mask(
    store: Store,
    portrait_id: int,
    mask: JudgedMask,
    source: MaskSource,
    producer: str,
    settings_id: int | None = None,
) -> NewMask:
    """Write a mask's blobs; the row that names them is the caller's to commit.

    Args:
        store: of the workspace.
        portrait_id: whose mask it is.
        mask: judged.
        source: who made it.
        producer: name and weights of the network, or who drew it.
        settings_id: of `pipelines.workspace.settings_used`: what it was made and judged with.

    Raises:
        WorkspaceError: a blob cannot be written.
    """
    probability = mask.probability_png
    return NewMask(
        portrait_id=portrait_id,
        source=source,
        producer=producer,
        blob=store.put(BlobKind.MASK, mask.png),
        probability_blob=store.put(BlobKind.PROBABILITY, probability) if probability else None,
        verdict=mask.verdict,
        reasons=mask.reasons,
        scores=mask.scores,
        settings_id=settings_id,
    )
