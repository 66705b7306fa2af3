import shutil
from pathlib import Path

import pytest

from finllm.params import load_params
from finllm.presets import apply_preset, preset_names

ROOT = Path(__file__).parents[1]
PRESETS = ROOT / "presets"


@pytest.fixture
def params(tmp_path):
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path))


@pytest.mark.parametrize("name", preset_names(PRESETS))
def test_every_preset_makes_a_valid_params_file_and_keeps_its_comments(name, params):
    before = params.read_text()
    apply_preset(name, folder=PRESETS, params=params)
    load_params(params)
    assert params.read_text().count("#") == before.count("#")
    assert apply_preset(name, folder=PRESETS, params=params) == []


def test_the_default_preset_is_what_the_repository_ships(params):
    assert apply_preset("cpu-smollm2", folder=PRESETS, params=params) == []


def test_presets_come_back_to_the_default(params):
    before = load_params(params)
    apply_preset("cpu-smollm2-ectsum", folder=PRESETS, params=params)
    assert load_params(params) != before
    apply_preset("cpu-smollm2", folder=PRESETS, params=params)
    assert load_params(params) == before


def test_an_unknown_preset_names_those_that_there_are(params):
    with pytest.raises(ValueError, match="cpu-smollm2-ectsum"):
        apply_preset("cpu-smolm2", folder=PRESETS, params=params)


def test_a_preset_with_an_unknown_key_changes_nothing(params, tmp_path):
    before = params.read_text()
    (tmp_path / "bad.yaml").write_text("lora: {rnak: 8}\n")
    with pytest.raises(ValueError, match=r"lora\.rnak"):
        apply_preset("bad", folder=tmp_path, params=params)
    assert params.read_text() == before


def test_a_preset_with_a_forbidden_value_changes_nothing(params, tmp_path):
    before = params.read_text()
    (tmp_path / "bad.yaml").write_text("lora: {r: 0}\n")
    with pytest.raises(ValueError, match=r"lora\.r is 0"):
        apply_preset("bad", folder=tmp_path, params=params)
    assert params.read_text() == before
