"""What the commands of `review` print."""
