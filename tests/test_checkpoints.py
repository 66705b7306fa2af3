import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from finllm.instruct.chat import Encoded
from finllm.model import arithmetic
from finllm.model.weights import checkpoint_root
from finllm.training import checkpoints
from finllm.training.checkpoints import (
    continues_from,
    held,
    newest_checkpoint,
    read_checkpoint,
    run_folder,
    write_checkpoint,
)
from finllm.training.snapshot import packed, random_state, set_random_state, unpacked

ROOT = Path(__file__).parents[1]
ROWS = [Encoded([1, 2, 3], 1), Encoded([4, 5], 1)]


def folder(root=Path("root"), *, train=ROWS, val=ROWS[:1], **settings):
    return run_folder(root, settings={"seed": 7, **settings}, sets={"train": train, "val": val})


def test_one_run_has_one_folder_and_any_other_parameter_or_datum_another():
    others = [
        folder(seed=8),
        folder(r=8),
        folder(train=ROWS[::-1]),
        folder(train=[ROWS[0], Encoded([4, 6], 1)]),
        folder(train=[ROWS[0], dataclasses.replace(ROWS[1], n_prompt=2)]),
        folder(train=ROWS[:1], val=ROWS),
    ]
    assert folder() == folder() and folder().parent == Path("root")
    assert len({folder(), *others}) == len(others) + 1


@pytest.mark.parametrize("found", ["libraries", "kind"])
def test_other_libraries_and_another_kind_of_processor_have_another_folder(found, monkeypatch):
    before = folder()
    monkeypatch.setattr(checkpoints.arithmetic, found, lambda: {"torch": "another"})
    assert folder() != before


def test_other_numbers_of_threads_and_processes_have_another_folder(monkeypatch):
    before = folder()
    n_threads = torch.get_num_threads()
    torch.set_num_threads(n_threads + 1)
    try:
        on_more_threads = folder()
    finally:
        torch.set_num_threads(n_threads)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert len({before, on_more_threads, folder()}) == 3


def test_a_start_anew_on_fewer_devices_names_the_checkpoint_of_more(tmp_path, monkeypatch):
    def of(n):
        monkeypatch.setenv("WORLD_SIZE", str(n))
        return folder(root=tmp_path)

    assert checkpoints.on_other_devices(of(2)) == ""
    write_checkpoint(of(4), 20, {"a": b"1"})
    said = checkpoints.on_other_devices(of(2))
    assert "on 4 devices" in said and "step-000020" in said and "there are 2" in said
    assert checkpoints.on_other_devices(of(4)) == ""  # its own is no other
    assert checkpoints.on_other_devices(folder(root=tmp_path, seed=8)) == ""  # of other parameters


def test_how_many_gpus_of_a_kind_are_visible_names_no_run(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda i: ["A", "A", "B"][i])
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda i: (8, 0))

    def kind(n):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: n)
        return arithmetic.kind()["gpus"]

    assert kind(1) == kind(2) == [["A", 8, 0]]
    assert kind(3) == [["A", 8, 0], ["B", 8, 0]]


def test_other_code_has_another_folder(monkeypatch, tmp_path):
    before = folder()
    (tmp_path / "trainer.py").write_text("# another trainer\n")
    monkeypatch.setattr(checkpoints.finllm.training, "__path__", [str(tmp_path)])
    assert folder() != before


def test_the_root_can_be_set(monkeypatch):
    monkeypatch.delenv("FINLLM_CHECKPOINTS", raising=False)
    assert checkpoint_root() == Path(".checkpoints")
    monkeypatch.setenv("FINLLM_CHECKPOINTS", "/scratch/mine")
    assert checkpoint_root() == Path("/scratch/mine")


def test_the_root_of_a_copy_that_dvc_runs_in_is_the_projects(monkeypatch, tmp_path):
    monkeypatch.delenv("FINLLM_CHECKPOINTS", raising=False)
    queued, temporary = ".dvc/tmp/exps/tmpa1", ".dvc/tmp/exps/standalone/tmpb2/within"
    for copy in (queued, temporary):
        (tmp_path / copy).mkdir(parents=True)
        monkeypatch.chdir(tmp_path / copy)
        assert checkpoint_root() == tmp_path / ".checkpoints"
    monkeypatch.setenv("FINLLM_CHECKPOINTS", "/scratch/mine")
    assert checkpoint_root() == Path("/scratch/mine")


def test_neither_git_nor_dvc_sees_the_checkpoints():
    for file, entry in ((".gitignore", "/.checkpoints/"), (".dvcignore", ".checkpoints")):
        assert entry in (ROOT / file).read_text().splitlines()


def write(run, *steps):
    for step in steps:
        write_checkpoint(run, step, {"a": b"first" * step, "b": b"second" * step})


def names(run):
    return sorted(path.name for path in run.iterdir())


def test_what_is_read_is_what_was_written_and_the_last_two_stay(tmp_path):
    write(tmp_path, 1, 2, 10)
    assert names(tmp_path) == ["step-000002", "step-000010"]
    newest = newest_checkpoint(tmp_path)
    assert newest.name == "step-000010"
    assert read_checkpoint(newest) == {"a": b"first" * 10, "b": b"second" * 10}
    assert continues_from(tmp_path).endswith("resumes from step 10")


def test_no_checkpoint_is_none(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    assert newest_checkpoint(tmp_path / "missing") is None
    assert "starts from the first step" in continues_from(tmp_path)


def cut(path):
    os.truncate(path / "b", 5)


def flip(path):
    content = bytearray((path / "a").read_bytes())
    content[3] ^= 1
    (path / "a").write_bytes(content)


def lose(path):
    (path / "a").unlink()


def no_manifest(path):
    (path / "manifest.json").unlink()


def cut_manifest(path):
    os.truncate(path / "manifest.json", 20)


@pytest.mark.parametrize("harm", [cut, flip, lose, no_manifest, cut_manifest])
def test_a_harmed_checkpoint_is_skipped_in_words(tmp_path, capsys, harm):
    write(tmp_path, 4, 8)
    harm(tmp_path / "step-000008")
    assert newest_checkpoint(tmp_path).name == "step-000004"
    assert "step-000008 is skipped" in capsys.readouterr().err
    write(tmp_path, 8)  # trained again, over the harmed one
    assert newest_checkpoint(tmp_path).name == "step-000008"


def test_a_half_written_folder_is_not_taken_and_is_written_over(tmp_path):
    write(tmp_path, 4)
    (tmp_path / "step-000008.tmp").mkdir()
    (tmp_path / "step-000008.tmp" / "a").write_bytes(b"half")
    assert newest_checkpoint(tmp_path).name == "step-000004"
    write(tmp_path, 8)
    assert names(tmp_path) == ["step-000004", "step-000008"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_disk_that_is_really_full_leaves_the_checkpoints_before(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let tests mount")
    try:
        write_checkpoint(tmp_path / "run", 1, {"a": bytes(100_000)})
        with pytest.raises(OSError, match="step 2 .*the disk is full.*resumes from step 1"):
            write_checkpoint(tmp_path / "run", 2, {"a": bytes(200_000)})
        assert names(tmp_path / "run") == ["step-000001"]
        assert newest_checkpoint(tmp_path / "run").name == "step-000001"
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_run_is_held_by_one_process_and_freed_with_it(tmp_path):
    code = (
        "import sys, pathlib, time\n"
        "from finllm.training.checkpoints import held\n"
        "with held(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(600)\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(ValueError, match="another process is training the same run"):
            with held(tmp_path / "run"):
                pass
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    with held(tmp_path / "run"):
        write(tmp_path / "run", 1)
    with held(tmp_path / "empty"):
        pass
    assert names(tmp_path) == ["run"]  # a folder without a checkpoint is not left


def test_experiments_side_by_side_train_the_same_run_one_after_the_other(tmp_path):
    code = (
        "import sys, pathlib, time\n"
        "from finllm.training.checkpoints import held\n"
        "run = pathlib.Path(sys.argv[1])\n"
        "with held(run, wait=True):\n"
        "    print('held', flush=True)\n"
        "    (run / 'only').touch(exist_ok=False); time.sleep(0.3); (run / 'only').unlink()\n"
    )
    others = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "run")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    said = [other.communicate(timeout=120)[0] for other in others]
    assert [other.returncode for other in others] == [0, 0, 0]
    assert any("this run waits for it" in text for text in said)
    assert names(tmp_path) == []


def test_an_optimizers_state_comes_back_with_every_bit():
    weight = torch.nn.Parameter(torch.randn(3, 5))
    optimizer = torch.optim.AdamW([weight], lr=1e-3)
    weight.sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    files = packed({"state": state, "inf": float("inf"), "pair": (1, [None, True])})
    assert json.loads(files["state.json"])  # text, not pickle
    back = unpacked(files)
    assert back["inf"] == float("inf") and back["pair"] == (1, [None, True])
    assert back["state"]["param_groups"] == state["param_groups"]
    for name, value in state["state"][0].items():
        assert back["state"]["state"][0][name].equal(value)


def test_the_random_states_come_back():
    import random

    import numpy as np

    def draws():
        return random.random(), np.random.random(), torch.rand(1).item()  # noqa: NPY002

    files = packed(random_state())
    first = draws()
    assert draws() != first
    set_random_state(unpacked(files))
    assert draws() == first


def test_the_random_state_of_the_gpu_in_use_comes_back_whatever_others_are_visible(monkeypatch):
    states = [torch.tensor([1], dtype=torch.uint8)]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda: states[-1])
    monkeypatch.setattr(torch.cuda, "set_rng_state", states.append)
    saved = unpacked(packed(random_state()))
    set_random_state(saved)
    assert len(saved["cuda"]) == 1 and torch.equal(states[1], states[0])
