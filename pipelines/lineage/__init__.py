"""Where every pixel came from, whether all of it is still true, and how it is forgotten."""
