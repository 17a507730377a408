"""Near-duplicates: which images show the same photo; docs/near-duplicates.md."""
