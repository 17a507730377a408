"""Rounds: freeze the trusted set, train a student on it, promote it only if it is better."""
