"""Students trained on a folder, or round after round: promoted only if they are better."""
