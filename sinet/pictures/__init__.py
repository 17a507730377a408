"""Files as pixels: the one decoder of pictures and the one reader of masks."""
