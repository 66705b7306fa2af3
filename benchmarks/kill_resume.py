"""Kill the train stage of a real run with SIGKILL, run it again, and compare with a full run.

Runs ``dvc repro`` of the train stage in two copies of this repository: once without interruption,
and once killed after a step (both DVC and the stage) and started again. Adapters and metrics,
without costs, must be identical byte for byte. The sets must exist (``dvc repro split``).

    python -m benchmarks.kill_resume --steps 60 --every 10 --kill-after 25
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
RESULTS = Path("data", "results")
STATE = (
    "params.yaml",
    "dvc.yaml",
    "finllm",
    "stages",
    "presets",
    "requirements-models.txt",
    ".dvcignore",
)


def prepare(folder: Path, *, steps: int, every: int) -> None:
    """Create a repository with this one's code and sets, but without results."""
    for name in STATE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "data" / "split", folder / "data" / "split")
    yaml = YAML()
    params = yaml.load(folder / "params.yaml")
    params["train"].update(max_steps=steps, checkpoint_every=every)
    yaml.dump(params, folder / "params.yaml")
    document = yaml.load(folder / "dvc.yaml")  # only the train stage, so that no other runs
    document["stages"] = {"train": document["stages"]["train"]}
    document.pop("plots", None)
    yaml.dump(document, folder / "dvc.yaml")
    subprocess.run(["dvc", "init", "-q", "--no-scm"], cwd=folder, check=True)


def start(folder: Path, log: Path) -> subprocess.Popen:
    """Start ``dvc repro`` in a process group of its own."""
    environment = {**os.environ, "FINLLM_CHECKPOINTS": ".checkpoints"}
    with open(log, "ab") as file:
        return subprocess.Popen(
            ["dvc", "repro"],
            cwd=folder,
            stdout=file,
            stderr=file,
            env=environment,
            start_new_session=True,
        )


def steps_logged(folder: Path) -> int:
    """Return the number of optimizer steps that the running training has logged."""
    losses = list((folder / RESULTS / "plots").rglob("loss_nats.tsv"))
    counts = [len(path.read_text().splitlines()) - 1 for path in losses if "train" in path.parts]
    return max(counts, default=0)


def result(folder: Path) -> tuple[dict, dict]:
    """Return the metrics of the training and its costs."""
    files = (folder / RESULTS / "metrics" / kind / "train.json" for kind in ("details", "costs"))
    details, costs = (json.loads(file.read_text()) for file in files)
    return details, costs["cost"]


def whole_run(folder: Path) -> None:
    """Train without a kill."""
    if start(folder, folder / "log.txt").wait():
        sys.exit(f"the whole run failed:\n{(folder / 'log.txt').read_text()[-2000:]}")


def killed_run(folder: Path, *, kill_after: int) -> int:
    """Train, SIGKILL the process group after a step, train again; return the step of the kill."""
    process = start(folder, folder / "log.txt")
    while steps_logged(folder) < kill_after:
        if process.poll() is not None:
            sys.exit(f"ended before the kill:\n{(folder / 'log.txt').read_text()[-2000:]}")
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    killed_at = steps_logged(folder)
    whole_run(folder)
    return killed_at


def main() -> None:
    """Compare a full and a killed run; exit with code 1 if their results differ."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--kill-after", type=int, default=25)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        whole, killed = Path(scratch, "whole"), Path(scratch, "killed")
        for folder in (whole, killed):
            folder.mkdir()
            prepare(folder, steps=options.steps, every=options.every)
        whole_run(whole)
        killed_at = killed_run(killed, kill_after=options.kill_after)
        (first, cost), (second, other) = result(whole), result(killed)
        lines = (killed / "log.txt").read_text().splitlines()
        resumed = [line for line in lines if "training resumes from step" in line]
        left = list((killed / ".checkpoints").glob("*"))
    print(
        f"killed at step {killed_at} of {options.steps}; {resumed[0] if resumed else 'no resume'}"
    )
    print(f"{'':>24} {'whole':>14} {'killed':>14}")
    for name in ("best_val_loss_nats", "reloaded_val_loss_nats", "n_train_tokens"):
        print(f"{name:>24} {first[name]:>14.8g} {second[name]:>14.8g}")
    print(
        f"{'adapter_sha256':>24} {first['adapter_sha256'][:12]:>14} "
        f"{second['adapter_sha256'][:12]:>14}"
    )
    print(f"{'seconds':>24} {cost['seconds']:>14.1f} {other['seconds']:>14.1f}")
    same = first == second and other["n_resumes"] == 1 and not left
    print("the same" if same else "NOT the same")
    print(
        json.dumps(
            {
                "same": same,
                "killed_at": killed_at,
                "whole": first,
                "killed": second,
                "seconds": [cost["seconds"], other["seconds"]],
            }
        )
    )
    sys.exit(not same)


if __name__ == "__main__":
    main()
