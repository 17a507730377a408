"""Pages to look at: what a workspace holds, and what changed between two releases."""
