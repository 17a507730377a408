"""Pictures as arrays: decoded, measured, searched for faces and for near-duplicates."""
