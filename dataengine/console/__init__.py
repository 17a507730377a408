"""What each command prints: console/X.py belongs to commands/X.py."""
