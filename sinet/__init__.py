"""What learns: networks, losses, data, training, evaluation, conversion."""
