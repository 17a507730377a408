"""Where settings come from, which source wins, and what is said of a wrong one."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.settings import Settings
from pipelines.workspace.settings_sources import load_settings, settings_template, with_database


def write(root: Path, text: str) -> Path:
    (root / "dataengine.toml").write_text(text)
    return root


def problem(root: Path) -> str:
    with pytest.raises(WorkspaceError) as caught:
        load_settings(root)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_option_over_environment_over_file_over_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def name(options: dict[str, dict[str, str | None]] | None = None) -> str:
        return load_settings(tmp_path, options).teacher.name

    assert name() == "auto"
    write(tmp_path, '[teacher]\nname = "from the file"\nweights = "w.pth"\n')
    assert name() == "from the file"
    monkeypatch.setenv("DATAENGINE_TEACHER__NAME", "from the environment")
    assert name() == "from the environment"
    assert name({"teacher": {"name": "from the option"}}) == "from the option"
    assert name({"teacher": {"name": None}}) == "from the environment"
    # A source that names one key of a section leaves its other keys alone.
    assert load_settings(tmp_path, {"teacher": {"name": "x"}}).teacher.weights == "w.pth"


def test_nested_sections_come_from_every_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "[teacher.onnx]\nmean = [1, 2, 3]\nperson_index = 4\n")
    monkeypatch.setenv("DATAENGINE_TEACHER__ONNX__PERSON_INDEX", "7")
    onnx = load_settings(tmp_path).teacher.onnx
    assert (onnx.mean, onnx.person_index, onnx.std) == ((1, 2, 3), 7, None)


def test_values_go_together_with_those_of_other_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone, the variable contradicts the default of what the file changes."""
    write(tmp_path, "[detector]\nmin_face_px = 200\n")
    monkeypatch.setenv("DATAENGINE_DETECTOR__WORKING_FACE_PX", "150")
    detector = load_settings(tmp_path).detector
    assert (detector.min_face_px, detector.working_face_px) == (200, 150)


def test_other_variables_of_the_prefix_are_no_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAENGINE_WORKSPACE", "/elsewhere")
    monkeypatch.setenv("DATAENGINE_SHARED", "/data")
    assert load_settings(tmp_path) == Settings()


@pytest.mark.parametrize(
    ("text", "key", "complaint"),
    [
        ('[detector]\nmin_face_px = "wide"', "detector.min_face_px", "valid number"),
        ("[detector]\nmin_face_px = 3", "detector.min_face_px", "greater than or equal to 16"),
        ("[detector]\nmin_faces_px = 64", "detector.min_faces_px", "unknown key"),
        ("[portrait]\naspect = nan", "portrait.aspect", "finite number"),
        ("detectr = 1", "detectr", "unknown key"),
        ("detector = 1", "detector", "dictionary"),
        ('[teacher.onnx]\nlayout = "NCHW"', "teacher.onnx.layout", "'nchw' or 'nhwc'"),
        (
            "[detector]\nmin_face_px = 30\nworking_face_px = 40",
            "detector.working_face_px",
            "must not exceed detector.min_face_px",
        ),
        ("[teacher.onnx]\nstd = [58.4, 0, 57.4]", "teacher.onnx.std", "greater than 0"),
    ],
)
def test_a_wrong_value_is_one_line_with_file_and_key(
    tmp_path: Path, text: str, key: str, complaint: str
) -> None:
    message = problem(write(tmp_path, text))
    assert key in message
    assert complaint in message
    assert str(tmp_path / "dataengine.toml") in message


@pytest.mark.parametrize("content", [b"[detector", b"\xff\xfe", b"a = 1\na = 2"])
def test_a_file_that_is_no_toml_is_called_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dataengine.toml").write_bytes(content)
    assert "dataengine.toml: cannot be read as TOML" in problem(tmp_path)


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("DATAENGINE_DETECTOR__MIN_FACE_PX", "wide", "detector.min_face_px"),
        ("DATAENGINE_DETECTOR__MIN_FACES_PX", "64", "detector.min_faces_px"),
        ("DATAENGINE_DETECTOR", "wide", 'field "detector"'),
    ],
)
def test_a_wrong_environment_is_not_blamed_on_the_syntax_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, named: str
) -> None:
    monkeypatch.setenv(variable, value)
    message = problem(tmp_path)
    assert named in message
    assert "environment" in message
    assert "TOML" not in message


def test_a_new_file_changes_nothing(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, settings_template())) == Settings()


def test_the_template_uncommented_holds_every_default() -> None:
    lines = [line.removeprefix("# ") for line in settings_template().splitlines()]
    text = "\n".join(line for line in lines if re.match(r"\w+ = \S|\[", line))
    assert Settings.model_validate(tomllib.loads(text)) == Settings()
    unset = {line.partition(" =")[0] for line in lines if line.endswith("=  # not set")}
    unset.add("id")  # given by `init`

    def keys(model: BaseModel) -> dict[str, object]:
        return {
            name: keys(value) if isinstance(value, BaseModel) else None
            for name, value in model
            if name not in unset
        }

    def shape(table: dict[str, object]) -> dict[str, object]:
        return {k: shape(v) if isinstance(v, dict) else None for k, v in table.items()}

    assert shape(tomllib.loads(text)) == keys(Settings())
    assert unset > {"database", "weights", "person_index", "workers"}


def test_a_database_of_any_name_is_read_as_it_was_written() -> None:
    """TOML has no surrogate pairs, which JSON writes where it keeps to ASCII."""
    url = 'sqlite:////tmp/"Bäume" 🌳/x.db'
    assert tomllib.loads(with_database("# database = 'old'\n[decode]\n", url))["database"] == url
