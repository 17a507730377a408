"""What is known of a portrait: its rows, decisions, standing, split."""
