"""What an audit proves of masks that nobody saw, and the acceptance that rests on it."""
