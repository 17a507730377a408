"""What happens to a picture: scan, decode, detect, label, score."""
