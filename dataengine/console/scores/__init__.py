"""What the commands of `scores` print."""
