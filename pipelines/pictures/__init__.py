"""Pictures as arrays: decoded, measured, searched for faces."""
