"""How doubtful a mask is: signals and traits that are stored, and the score fitted on decisions."""
