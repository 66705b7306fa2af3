"""Ray compared with local processes: time, the driver's memory, and identical output bytes.

    python -m benchmarks.ray_overhead --calls 2000 --answers 64 --model tiny

Fictional calls go through clean, filter, templatize and split, and the model answers a number of
test questions, once with ``execution.engine: local`` and once with ``ray``, each stage in a
separate process on the same cores. Without ``RAY_ADDRESS`` each stage starts a cluster, which
counts in its time; with it, joining the cluster counts. Memory is the peak of the stage's own
process, without its workers. The exit code is 1 if any output differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks.corpus_scale import PATHS, ROOT
from benchmarks.corpus_scale import write_params as write_corpus_params

ENGINES = ("local", "ray")
CORPUS = ("clean", "filter", "templatize", "split")
SMALLEST = "tiny"  # a model with random weights, created here
PREDICT = (
    "--test questions.jsonl --transfer none.jsonl --reworded none.jsonl --noise none.jsonl "
    "--weights weights.txt --shots none --predictions data/predict/base.jsonl "
    "--changed data/predict/changed.jsonl --references data/predict/references.jsonl "
    "--metrics metrics/predict.json --costs metrics/costs.json"
)


def main() -> int:
    """Run every stage on both engines, and print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--answers", type=int, default=64)
    parser.add_argument("--model", default="", help=f"{SMALLEST}, or empty: that of params.yaml")
    given = parser.parse_args()
    rows, digests = [], {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus_params(folder, given.calls)
        change(folder, "split", min_test_companies=2)
        (folder / "data/review/ratings").mkdir(parents=True)
        run("sample", PATHS["sample"], folder)
        print(f"{'engine':8}{'stage':12}{'seconds':>10}{'driver MB':>12}")
        for engine in ENGINES:
            for stage in (*CORPUS, "predict"):
                if stage == "predict":
                    prepare_questions(folder, given.answers, given.model)
                change(folder, "execution", engine=engine)
                found = run(stage, PREDICT if stage == "predict" else PATHS[stage], folder)
                rows.append({"engine": engine, "stage": stage, **found})
                print(f"{engine:8}{stage:12}{found['seconds']:10.1f}{found['driver_mb']:12.0f}")
            digests[engine] = digest(folder / "data")
    same = digests["local"] == digests["ray"]
    ratios = {kind: ratio(rows, stages) for kind, stages in kinds().items()}
    print("the same bytes" if same else "OUTPUTS DIFFER")
    for kind, value in ratios.items():
        print(f"{kind}: Ray takes {value:.2f} times as long")
    print(json.dumps({"same": same, "ratios": ratios, "rows": rows, **vars(given)}))
    return int(not same)


def kinds() -> dict[str, tuple[str, ...]]:
    """Return the groups of stages for which a ratio is reported."""
    return {"corpus": CORPUS, "answers": ("predict",)}


def ratio(rows: list[dict], stages: tuple[str, ...]) -> float:
    """Return Ray's time divided by that of local processes."""
    totals = {
        engine: sum(r["seconds"] for r in rows if r["engine"] == engine and r["stage"] in stages)
        for engine in ENGINES
    }
    return totals["ray"] / totals["local"]


def run(stage: str, flags: str, folder: Path) -> dict[str, float]:
    """Run one stage in a folder; return its seconds and its own process's peak memory in MB.

    Raises
    ------
    ValueError
        If the stage fails, with the end of its stderr.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", f"stages.{stage}", *flags.split()]
    started, peak_kb = time.perf_counter(), 0
    with open(folder / "stderr", "w+") as errors:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=errors
        )
        while process.poll() is None:
            peak_kb = max(peak_kb, resident_kb(process.pid))
            time.sleep(0.1)
        if process.returncode:
            errors.seek(0)
            raise ValueError(f"stage {stage} failed: {errors.read()[-500:]}")
    return {"seconds": time.perf_counter() - started, "driver_mb": peak_kb / 1024}


def resident_kb(pid: int) -> int:
    """Return the peak resident memory of a process in kB; 0 if the system does not report it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(x.split()[1]) for x in status.splitlines() if x.startswith("VmHWM")), 0)


def prepare_questions(folder: Path, n: int, model: str) -> None:
    """Write the first ``n`` test examples as questions, and create the tiny model if requested."""
    lines = (folder / "data/split/test.jsonl").read_text(encoding="utf-8").splitlines(True)
    (folder / "questions.jsonl").write_text("".join(lines[:n]), encoding="utf-8")
    for name in ("none.jsonl", "weights.txt"):
        (folder / name).write_text("")
    (folder / "none").mkdir(exist_ok=True)
    change(folder, "predict", latency_prompts=0)
    if model != SMALLEST or (folder / SMALLEST).is_dir():
        return
    write_tiny(folder / SMALLEST)
    change(folder, "model", name=SMALLEST, gguf_package="", gguf_file="")


def write_tiny(folder: Path) -> None:
    """Write a model with random weights and the tokenizer of the packaged one."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils.logging import disable_progress_bar

    from finllm.model.tokenizer import load_tokenizer
    from finllm.model.weights import base_folder
    from finllm.settings.params import load_params

    tokenizer = load_tokenizer(base_folder(load_params(ROOT / "params.yaml").model), revision="")
    disable_progress_bar()
    torch.manual_seed(7)
    config = LlamaConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=len(tokenizer), max_position_embeddings=2048,
    )  # fmt: skip
    LlamaForCausalLM(config).bfloat16().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def change(folder: Path, section: str, **values: object) -> None:
    """Set parameters in a folder's params.yaml."""
    yaml = YAML()
    params = yaml.load((folder / "params.yaml").read_text(encoding="utf-8"))
    params[section].update(values)
    with open(folder / "params.yaml", "w", encoding="utf-8") as file:
        yaml.dump(params, file)


def digest(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that the stages wrote, by path."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and "raw" not in p.parts]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


if __name__ == "__main__":
    sys.exit(main())
