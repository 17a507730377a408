"""What the commands of `bench` print."""
