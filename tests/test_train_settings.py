"""The knobs reach the stages: train and predict run with each of these settings on a tiny model."""

import json
from pathlib import Path

import pytest
from conftest import make_example, tiny_llama
from ruamel.yaml import YAML

from finllm.records import read_jsonl, write_jsonl
from stages import predict, train

ROOT = Path(__file__).parents[1]
SETTINGS = {
    "the shipped one": {},
    "full": {
        "model": {"quantization": "none"},
        "train": {
            "method": "full",
            "batching": "token_budget",
            "tokens_per_batch": 400,
            "optimizer": "adamw_8bit",
            "schedule": "cosine_with_restarts",
            "learning_rate": 1e-4,
            "checkpoint_layers": 2,
        },
        "predict": {"quantization": "nf4"},
    },
    "int8, packing": {
        "model": {"quantization": "int8", "attention": "sdpa"},
        "train": {"batching": "packing", "tokens_per_batch": 400, "checkpoint_layers": 1},
        "predict": {"quantization": "int8"},
    },
    "DoRA, shuffle": {
        "lora": {"r": 4, "rslora": True, "dora": True},
        "train": {"batching": "shuffle"},
    },
}


def run(stage, monkeypatch, **paths):
    flags = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    monkeypatch.setattr("sys.argv", [stage.__name__, *flags])
    stage.main()


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_trains_and_answers(tmp_path, chatml, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    tiny_llama().bfloat16().save_pretrained(tmp_path / "base")
    chatml.save_pretrained(tmp_path / "base")
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["model"].update(name="base", gguf_package="", gguf_file="")
    params["train"].update(max_steps=3, batch_size=2, evals_per_run=1)
    params["predict"].update(max_new_tokens=4)
    for section, values in SETTINGS[name].items():
        params[section].update(values)
    with open("params.yaml", "w", encoding="utf-8") as file:
        yaml.dump(params, file)
    rows = [make_example(f"t{n}", answer=f"Revenue rose {n}%. " * n) for n in range(1, 7)]
    write_jsonl(Path("rows.jsonl"), rows)
    run(
        train,
        monkeypatch,
        train="rows.jsonl",
        val="rows.jsonl",
        adapter="adapter",
        curves="curves",
        metrics="train.json",
        costs="train_costs.json",
        steps="steps.csv",
        launchers=ROOT / "presets" / "accelerate",
    )
    found = json.loads(Path("train.json").read_text())
    assert found["n_steps"] == 3 and len(found["adapter_sha256"]) == 64
    assert found["forgetting"]["ratio"] != 1 and found["forgetting"]["base_perplexity"] > 1
    assert found["alarms"] == {"explosion": 0, "vanishing": 0}
    assert found["gradients"]["median_norm"] > 0 and found["gradients"]["update_to_weight"] > 0
    assert "improvement_nats" in found["convergence"]
    assert 0 < json.loads(Path("train_costs.json").read_text())["cost"]["monitor_share"] < 1
    assert Path("curves/gradient_by_layer.csv").read_text().startswith("layer,first,median,last\n")
    assert "effective batch" in capsys.readouterr().out
    full = "train" in SETTINGS[name] and SETTINGS[name]["train"].get("method") == "full"
    files = {path.name for path in Path("adapter").iterdir()}
    assert ("model.safetensors" in files) == full
    assert ("adapter_model.safetensors" in files) == (not full)
    assert not list(tmp_path.rglob("*.bin")) + list(tmp_path.rglob("*.tmp"))
    answers = {}
    Path("transfer.jsonl").write_text("")
    for key, weights in {"base": "rows.jsonl", "tuned": "adapter"}.items():
        run(
            predict,
            monkeypatch,
            test="rows.jsonl",
            transfer="transfer.jsonl",
            reworded="transfer.jsonl",
            noise="transfer.jsonl",
            weights=weights,
            shots=".",  # a folder: no examples are shown
            predictions=f"{key}.jsonl",
            changed=f"{key}_changed.jsonl",
            references=f"{key}_references.jsonl",
            metrics=f"{key}.json",
            costs=f"{key}_costs.json",
        )
        answers[key] = list(read_jsonl(Path(f"{key}.jsonl")))
    assert len(answers["base"]) == len(answers["tuned"]) == 6
