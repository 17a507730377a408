"""Masks as arrays: the main subject, scores, signals, verdicts. Pure functions, no SQL."""
