"""What a person touches: Typer commands and what they print."""
