"""Files in folders of photos, told by their names: what is a photo, and which mask is its own."""
