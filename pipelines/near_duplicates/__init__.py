"""Near-duplicates: which images show the same photo; docs/near-duplicates.md."""

from pipelines.near_duplicates.descriptor import descriptor
from pipelines.near_duplicates.grouping import (
    Fingerprint,
    changed_groups,
    group,
    save_groups,
    update_groups,
)

__all__ = [
    "Fingerprint",
    "changed_groups",
    "descriptor",
    "group",
    "save_groups",
    "update_groups",
]
