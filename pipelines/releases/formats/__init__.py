"""How a release is laid out on disk; one module a format."""
