import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def compare(first: Path, second: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.compare_metrics", str(first), str(second)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def folder(path: Path, value: float, seconds: float) -> Path:
    (path / "details").mkdir(parents=True)
    (path / "costs").mkdir()
    (path / "details" / "train.json").write_text(json.dumps({"loss_nats": value}))
    (path / "costs" / "train.json").write_text(json.dumps({"cost": {"seconds": seconds}}))
    return path


def test_metrics_that_differ_in_cost_only_are_equal(tmp_path):
    done = compare(folder(tmp_path / "a", 1.5, 10.0), folder(tmp_path / "b", 1.5, 20.0))
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout.splitlines()[-1]) == {"files": 1, "equal": 1}


def test_metrics_that_differ_in_the_last_digit_are_different(tmp_path):
    first = folder(tmp_path / "a", 1.5, 10.0)
    done = compare(first, folder(tmp_path / "b", 1.5000000000000002, 10.0))
    assert done.returncode == 1


def test_a_file_that_one_side_lacks_is_different(tmp_path):
    first = folder(tmp_path / "a", 1.5, 10.0)
    (tmp_path / "b").mkdir()
    assert compare(first, tmp_path / "b").returncode == 1


def test_two_empty_folders_prove_nothing_and_fail(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert compare(tmp_path / "a", tmp_path / "b").returncode == 1
