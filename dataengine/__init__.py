"""What a person touches: Typer commands, settings, console."""
