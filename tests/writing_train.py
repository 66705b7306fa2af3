"""Stands in for the train stage: a loss that its parameters decide, written step by step.

Its best is r = 8 and a learning rate of 1e-3. `PACE` is the seconds between two evaluations. It
keeps a checkpoint as the real stage does, and goes on from it.
"""

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
curve = Path("plots/training/plots/metrics/val/loss_nats.tsv")
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
            time.sleep(float(os.environ.get("PACE", 0)))
            checkpoint.write_text(json.dumps({"evaluations": i, "where": os.getcwd()}))
Path("models/adapter").mkdir(parents=True, exist_ok=True)
Path("models/adapter/adapter.txt").write_text(f"{r} {rate}")
ignored = sorted(name for name in (".venv", ".checkpoints", "data/clean") if Path(name).exists())
found = {"best_val_loss_nats": best, "cost": {"n_resumes": int(done > 0)}, "ignored": len(ignored)}
Path("metrics/train.json").write_text(json.dumps(found))
checkpoint.unlink()
