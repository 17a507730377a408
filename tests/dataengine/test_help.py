"""`--help` is true, whole and quick."""

import re
import shlex
import subprocess
import sys

import pytest

from dataengine.choices import OrderChoice, StageChoice, VerdictChoice
from db import ITEM_TABLES, Verdict
from pipelines.networks.names import TORCHVISION
from pipelines.review.choosing import Order
from tests.dataengine.conftest import COMMANDS, Run, parse

DOCUMENTED = {
    "demo": ["[DIR]", "bundled", "default: dataengine-demo"],
    "init": ["[folder]", "default the -w folder"],
    "ingest": [
        "PATH...", "--teacher", "--teacher-weights", "--masks", "--device", "<auto|cpu|cuda>",
        "--batch-size", "--workers", "--limit", "--retry-failed", "--dry-run", "--json",
        "onnx:FILE", "sinet:FILE", "sinet:bundled", "sinet:current", "--second-opinion",
        "--views", "four times", *TORCHVISION,
    ],
    "status": ["--json"],
    "failures": [
        "--stage", "<read|detect|import|label|relabel|signals|traits>", "--json", "whole reason",
    ],
    "list": ["--verdict", "<candidate|review|rejected>", "--json", "photo_sha256"],
    "show": ["ID", "--out"],
    "report": ["OUT.html", "--pictures", "default: 1200", "--open", "--json", "every portrait"],
    "diff": ["A", "B", "--html", "--json", "only a workspace knows"],
    "bench ablations": ["--network", "--rows", "--data", "--epochs", "--seeds", "--json", "GPU"],
    "bench models": ["[NAME]...", "--data", "--epochs", "--out", "--device"],
    "models": ["--json", "224"],
    "train": [
        "--data", "--model", "--backbone", "--output-stride", "--pretrained", "--config", "paper",
        "portrait", "--epochs",
        "--stage-epochs", "--device", "<auto|cpu|cuda>", "--resume", "--out", "runs/MODEL",
        "--held-out", "--json", "TrainingConfig", "--init", "--teacher", "--round", "--min-source",
        "--force", "sinet:current",
    ],
    "confirm": ["PATH...", "--by", "--json", "from behind"],
    "export": [
        "--out", "--negatives", "--format",
        "<folder|coco|webdataset|parquet|hf|yolo>", "--min-source",
        "<human|certified|any>", "--round", "--alpha", "--json", "checksums.txt",
    ],
    "publish": ["REPO", "[RELEASE]", "--public", "--dry-run", "--json", "HF_TOKEN", "private"],
    "rounds": ["--json", "95 %"],
    "relabel": [
        "--network", "--round", "--method", "--device", "<student|mean>", "--json", "never touched",
        "--on", "ray://HOST",
    ],
    "evaluate": [
        "NETWORK", "--device", "--data", "--split", "--compare", "--worst", "--matte", "--out",
        "Composition-1k", "--limit", "--json", ".safetensors", ".pth", ".onnx", "boundary_iou",
    ],
    "predict": [
        "NETWORK", "--device", "sinet:current",
        "PATH...", "--out", "--overlay", "--threshold", "--overwrite", "--json",
        "NAME.masks",
    ],
    "convert": [
        "NETWORK", "--out", "--to", "<onnx|onnx-web|openvino|torch-export|coreml|tflite>", "--int8",
        "--calibrate", "--check", "--json",
    ],
    "web": [
        "OUT", "--network", "[default: sinet:bundled]", "--resolution", "--json", "no request",
        "http.server",
    ],
    "explain": ["FILE[:x,y]", "--json", "a copy of one"],
    "verify": ["--repair", "[RELEASE]", "--json", "exit code is 1", "the whole workspace"],
    "backup": ["OUT", "--json", "hard links"],
    "restore": ["BACKUP", "FOLDER", "--json", "exit code is 1"],
    "upgrade": ["older version"],
    "migrate-database": ["URL", "PGPASSWORD", "Nobody else may be at work"],
    "gc": ["--dry-run", "--yes", "--json", "spared", "20 %"],
    "forget": ["IMAGE...", "--yes", "--json", "portrait:ID", "review pull"],
    "gallery": [
        "--portraits", "default: 5000", "--port", "--data-dir", "--open", "pull", "Ctrl-C",
        "only whoever has the address",
    ],
    "gallery pull": ["--by", "--data-dir", "--json", "each tag", "changes nothing"],
    "review server": ["--port", "--data-dir", "Ctrl-C", "only on this machine"],
    "review clicks": ["--port", "--address", "--url", "ML backend", "LABEL_STUDIO_URL"],
    "review plan": [
        "--target-error",
        "--confidence",
        "--bad-below",
        "--accept-seconds",
        "--reject-seconds",
        "--fix-seconds",
        "--seed",
        "--json",
    ],
    "review push": [
        "--limit", "--order", "<uncertain|random|id|disagreement|doubtful|informative>",
        "--verdict", "--project", "--batch", "--json", "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY",
        "exactly once",
    ],
    "certify": [
        "--max-error", "--confidence", "--bad-below", "--audit", "--seed", "--abandon", "--json",
        "the bound holds at any moment", "void",
    ],
    "scores fit": ["--bad-below", "--on", "--seed", "--json", "near-duplicates", "calibrated"],
    "scores show": ["--out", "reliability.png", "precision-recall.png", "--json"],
    "scores slices": ["--json", "Thirds", "95 %"],
    "scores drift": ["--json", "Kolmogorov", "false discovery rate"],
    "review pull": ["--watch", "SECONDS", "--json"],
    "review status": ["--json"],
}  # fmt: skip

HEAVY = (
    "torch", "torchvision", "sqlalchemy", "alembic", "cv2", "numpy", "PIL", "pydantic",
    "label_studio_sdk", "scipy", "sklearn",
)  # fmt: skip


def examples(command: str) -> list[list[str]]:
    """Arguments of each example of a command, up to a pipe."""
    lines = [line.strip() for line in COMMANDS[command].epilog.splitlines()]
    words = [shlex.split(line) for line in lines if line.startswith("dataengine ")]
    return [line[1 : line.index("|")] if "|" in line else line[1:] for line in words]


def test_every_command_is_known_to_these_tests() -> None:
    assert set(COMMANDS) == set(DOCUMENTED)


@pytest.mark.parametrize("command", DOCUMENTED)
def test_the_help_of_a_command(run: Run, command: str) -> None:
    answer = run(*command.split(), "--help")
    assert (answer.code, answer.err) == (0, "")
    text = re.sub(r"\s+", " ", answer.out)
    missing = [option for option in DOCUMENTED[command] if option not in text]
    assert missing == []
    assert f"dataengine {command}" in text.partition("Example")[2]
    assert run(*command.split(), "-h") == answer


def test_the_help_of_the_program(run: Run) -> None:
    answer = run("--help")
    assert answer.code == 0
    commands = {command.split()[0] for command in DOCUMENTED}
    for expected in ("--workspace", "-w", "DATAENGINE_WORKSPACE", "--debug", *commands):
        assert expected in answer.out


@pytest.mark.parametrize("command", DOCUMENTED)
def test_every_parameter_is_explained(command: str) -> None:
    silent = [p.name for p in COMMANDS[command].params if not getattr(p, "help", None)]
    assert silent == []


@pytest.mark.parametrize("command", DOCUMENTED)
def test_examples_are_commands_that_parse(command: str) -> None:
    assert examples(command)
    for arguments in examples(command):
        parse(arguments)


def test_a_version_is_shown(run: Run) -> None:
    answer = run("--version")
    assert answer.code == 0
    assert re.fullmatch(r"dataengine \d+\.\d+\.\d+\S*\n", answer.out)


def test_nothing_heavy_is_loaded_to_show_help() -> None:
    code = "import sys, dataengine.cli; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(shown.stdout.split())


def test_the_choices_of_verdicts_are_the_databases() -> None:
    assert [choice.value for choice in VerdictChoice] == [verdict.value for verdict in Verdict]


def test_the_choices_of_stages_are_the_databases() -> None:
    assert [choice.value for choice in StageChoice] == [stage.value for stage in ITEM_TABLES]


def test_the_choices_of_orders_are_the_pipelines() -> None:
    assert [choice.value for choice in OrderChoice] == [order.value for order in Order]
