"""Names of the files in a run's folder, known without loading what trains."""

from typing import Final

WEIGHTS_FILE: Final = "last.safetensors"
CONFIG_FILE: Final = "config.json"
RESUME_FILE: Final = "resume.pt"
"""State to go on from."""

LOG_FILE: Final = "log.csv"
TENSORBOARD_FOLDER: Final = "tensorboard"
OVERLAY_FOLDER: Final = "overlays"
SCORES_FILE: Final = "test.json"
"""Of a round's run: scores of its student and of its rival, picture by picture."""
