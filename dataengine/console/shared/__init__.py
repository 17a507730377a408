"""What several commands print, and how they show work in progress and stop."""
