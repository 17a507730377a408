"""Releases: which portraits are trusted, what they are used for, and the folder they go into."""
