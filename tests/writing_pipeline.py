"""A copy of the pipeline whose stages only write their outputs, under git and DVC, run once.

The stage that publishes is the real one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
CODE = ("finllm", "stages")
DATA = ("data/lexicon", "data/raw/none", "data/ratings", "data/review/ratings", "docs/studies")

FAKE = """
import pathlib, sys
for out in sys.argv[sys.argv.index("--") + 1:]:
    path = pathlib.Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix:
        path.write_text('{"value": 1}' if path.suffix == ".json" else "step,value\\n0,1\\n")
    else:
        path.mkdir(exist_ok=True)
        (path / "file.txt").write_text("x")
"""

# Stands in for the train stage: a loss that its parameters decide, best at r = 8 and a learning
# rate of 1e-3. PACE is the seconds after an evaluation where r is above 100. It keeps a
# checkpoint as the real stage does, and goes on from it.
TRAIN = r"""
import json
import math
import os
import time
from pathlib import Path

from ruamel.yaml import YAML

from finllm.model.weights import checkpoint_root

params = YAML(typ="safe").load(Path("params.yaml").read_text())
r, rate = params["lora"]["r"], float(params["train"]["learning_rate"])
best = 1 + abs(math.log2(r) - 3) / 10 + abs(math.log10(rate) + 3) / 10
if params["train"]["weight_decay"] == 1:
    raise SystemExit("train: diverged, as it was told")
results = Path("data/results")
curve = results / Path("plots/training/plots/metrics/val/loss_nats.tsv")
curve.parent.mkdir(parents=True, exist_ok=True)
checkpoint = checkpoint_root() / f"r{r}-rate{rate}"
done = json.loads(checkpoint.read_text())["evaluations"] if checkpoint.is_file() else 0
with open(curve, "w", encoding="utf-8") as file:
    file.write("step\tloss_nats\n")
    for i in range(5):
        file.write(f"{i}\t{best + (4 - i) * 0.1}\n")
        file.flush()
        checkpoint.parent.mkdir(exist_ok=True)
        if i > done:
            checkpoint.write_text(json.dumps({"evaluations": i, "where": os.getcwd()}))
            time.sleep(float(os.environ.get("PACE", 0)) if r > 100 else 0)
Path("models/adapter").mkdir(parents=True, exist_ok=True)
Path("models/adapter/adapter.txt").write_text(f"{r} {rate}")
n_ignored = sum(Path(name).exists() for name in (".venv", ".checkpoints"))
found = {"best_val_loss_nats": best, "n_ignored": n_ignored}
for kind in ("details", "costs"):
    (results / "metrics" / kind).mkdir(parents=True, exist_ok=True)
(results / "metrics/details/train.json").write_text(json.dumps(found))
cost = {"n_resumes": int(done > 0), "seconds": time.time()}
(results / "metrics/costs/train.json").write_text(json.dumps({"cost": cost}))
steps = results / "metrics/costs/train_steps.csv"
steps.write_text(f"step,tokens_per_second\n1,{time.time()}\n")
checkpoint.unlink()
"""

# Stands in for the report: the committed numbers, of which a rank other than 16 moves those of the
# tuned model and a new seed of the sample moves all; the loss is that of the training before it.
REPORT = (
    FAKE
    + r"""
import json
import math

from ruamel.yaml import YAML

FIXED = ("Base", "Copying/mean", "Tested/", "answers/cut_base", "corpus/", "sets/")
params = YAML(typ="safe").load(pathlib.Path("params.yaml").read_text())
numbers = json.loads(pathlib.Path("committed_summary.json").read_text())
move = math.log2(params["lora"]["r"] / 16) / 100
for name, value in numbers.items():
    fixed = name.startswith(FIXED) and params["sample"]["seed"] == 7
    if not isinstance(value, str) and not fixed:
        numbers[name] = value * (1 + move) + (params["sample"]["seed"] != 7)
results = pathlib.Path("data/results")
train = json.loads((results / "metrics/details/train.json").read_text())
numbers["Val_loss"] = train["best_val_loss_nats"]
pathlib.Path("metrics/summary.json").write_text(json.dumps(numbers))
markdown = pathlib.Path("committed_report.md").read_text()
(results / "reports/report.md").write_text(markdown + f"<!-- rank {params['lora']['r']} -->")
"""
)

SCRIPTS = {"train": TRAIN, "report": REPORT}


def outputs(stage: dict, key: str = "") -> list[str]:
    found = []
    for kind in ("outs", "metrics", "plots"):
        for out in stage.get(kind, []):
            path = next(iter(out)) if isinstance(out, dict) else out
            found.append(str(path).replace("${key}", key or "${key}"))
    return found


def write_project(root: Path, *, scripts: Mapping[str, str] | None = None) -> Path:
    """Make the project in ``root`` and run and commit it.

    Parameters
    ----------
    root
        An empty folder.
    scripts
        By stage, the text of the script that it runs in place of the one that writes constants.
    """
    for folder in (*CODE, *DATA, "presets"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("params.yaml", "requirements-models.txt", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / file, root / file)
    shutil.copy(ROOT / "metrics" / "summary.json", root / "committed_summary.json")
    shutil.copy(ROOT / "reports" / "report.md", root / "committed_report.md")
    (root / "fake.py").write_text(FAKE)
    document = YAML(typ="safe").load(ROOT / "dvc.yaml")
    for name, stage in document["stages"].items():
        target = stage.get("do", stage)
        if name == "publish":
            continue
        script = "fake.py"
        if scripts and name in scripts:
            script = f"fake_{name}.py"
            (root / script).write_text(scripts[name])
        target["cmd"] = f"python {script} -- " + " ".join(outputs(target))
    document.pop("plots")
    with open(root / "dvc.yaml", "w", encoding="utf-8") as file:
        YAML(typ="safe").dump(document, file)
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.email", "test@example.org")
    git(root, "config", "user.name", "test")
    dvc(root, "init", "-q")
    dvc(root, "repro")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "run")
    return root


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "DVC_TEST": "1"}


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout


def dvc(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
