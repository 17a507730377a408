"""Near-duplicates: which images show the same photo; docs/near-duplicates.md."""

from pipelines.near_duplicates.descriptor import descriptor
from pipelines.near_duplicates.grouping import Fingerprint, group, update_groups

__all__ = ["Fingerprint", "descriptor", "group", "update_groups"]
