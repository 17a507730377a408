"""Masks mended by clicks: a network that reads a picture, its mask and where somebody clicked."""
