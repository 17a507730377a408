"""Recipes and configuration files."""

import pytest

from sinet.errors import ConfigError
from sinet.networks import NETWORKS
from sinet.training import TrainingConfig, default_recipe, load_config, recipe_names


def test_the_recipes_in_the_package():
    others = set(NETWORKS) - {"sinet", "deeplab"}  # theirs are `paper` and `portrait`
    # The SINet article's rivals are measured here by the portrait recipe only.
    rivals = {"espnetv2", "bisenet", "enet", "mobilenetv3", "contextnet", "fastscnn"}
    articles = others - rivals
    expected = {"paper", "portrait", *articles, *(f"{name}-portrait" for name in others)}
    assert set(recipe_names()) == expected
    # The defaults follow the paper; only the machine's part differs.
    assert (
        load_config("paper").model_copy(update={"workers": 1, "best_after": None})
        == TrainingConfig()
    )
    assert load_config("portrait").ema_decay == 0.998


@pytest.mark.parametrize("recipe", recipe_names())
def test_a_recipe_is_for_its_network(recipe):
    config = load_config(recipe)
    name = recipe.removesuffix("-portrait")
    assert config.model == (name if name in NETWORKS else "sinet")
    assert default_recipe(config.model).endswith("portrait")


def test_options_belong_to_their_network():
    config = load_config("sanet", {"options": {"backbone": "resnet50"}})
    assert config.options == {"backbone": "resnet50", "categorical": True}
    assert load_config("liteseg-portrait", {"model": "cgnet"}).options == {}
    with pytest.raises(ConfigError, match="has no loss `categorical`"):
        load_config("sanet", {"options": {"categorical": False}})
    with pytest.raises(ConfigError, match="liteseg normalises over the batch: set batch"):
        load_config("liteseg", {"batch": 1})


def test_toml_json_and_overrides(tmp_path):
    (tmp_path / "a.toml").write_text("epochs = 5\n[losses]\nboundary = 0.25\n")
    (tmp_path / "a.json").write_text('{"epochs": 5, "losses": {"boundary": 0.25}}')
    config = load_config(tmp_path / "a.toml", {"encoder_epochs": 0, "epochs": None})
    assert (config.epochs, config.encoder_epochs, config.losses.boundary) == (5, 0, 0.25)
    assert load_config(tmp_path / "a.json", {"encoder_epochs": 0}) == config


def test_a_saved_configuration_is_read_back(tmp_path):
    config = load_config("portrait")
    (tmp_path / "config.json").write_text(config.model_dump_json())
    assert load_config(tmp_path / "config.json") == config


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("epoch = 5", r"x\.toml: unknown key `epoch`"),
        ("[losses]\nedges = 1", r"x\.toml: unknown key `losses.edges`"),
        ("[losses]\nedge = 1", r"x\.toml: sinet with these options has no loss `edge`"),
        ("epochs = 'many'", r"x\.toml: `epochs`: .* valid integer.*, not 'many'"),
        ("[augmentation]\nflip_probability = 2", r"`augmentation\.flip_probability`: .*, not 2"),
        ("schedule = 'linear'", r"`schedule`: .*'poly'.*, not 'linear'"),
        ("epochs =", r"x\.toml: cannot be read as TOML"),
        ("epochs = 0\nencoder_epochs = 0", r"x\.toml: encoder_epochs and epochs are both 0"),
    ],
)
def test_a_mistake_names_file_and_key(tmp_path, text, pattern):
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=pattern) as caught:
        load_config(path)
    assert "\n" not in str(caught.value)


def test_json_that_is_no_table(tmp_path):
    (tmp_path / "x.json").write_text("[1]")
    with pytest.raises(ConfigError, match="not a table of settings"):
        load_config(tmp_path / "x.json")
