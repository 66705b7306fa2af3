"""Compiled kernels are kept, and never those of other sources, options or processors."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from finllm.model import compiled

RUN = """
import torch, numpy as np
from finllm.model import kernels
from finllm.model.kernels import bits
x = torch.ones(2, 32)
kernels.norm(bits(x), bits(x[0]), np.float32(0), np.uint32(0), np.uint32(0), bits(x), bits(x))
print(sum(kernels.norm.stats.cache_hits.values()), float(x.sum()))
"""

STEP = """
import hashlib, sys
sys.path.insert(0, {tests!r})
import torch
from test_fused import batch, gradients, tiny
from finllm.model import kernels
from finllm.model.fused import FusedLlama
model = tiny(torch.{dtype}, dropout=0.1)
ids, offsets, *_ = batch()
hidden = FusedLlama(model).hidden_states(ids, offsets)
digest = hashlib.sha256()
for found in (hidden, *gradients(model, hidden).values()):
    digest.update(found.detach().float().numpy().tobytes())
print(sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels.ARGUMENTS))
print(digest.hexdigest())
"""


def run(cache, **environment):
    settings = {**os.environ, "FINLLM_CACHE": str(cache), **environment}
    done = subprocess.run([sys.executable, "-c", RUN], env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    hits, total = done.stdout.split()
    assert float(total) == 64
    return int(hits)


def test_the_second_run_does_not_compile_and_another_processor_does(tmp_path):
    assert run(tmp_path) == 0
    assert run(tmp_path) == 1
    assert run(tmp_path, NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES="") == 0
    assert list(tmp_path.glob("kernels/*/*/*.nbi"))


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_the_first_run_of_a_machine_gives_the_bits_of_every_later_one(dtype, tmp_path):
    """A process that compiles a parallel kernel runs other code than one that loads it."""
    code = STEP.format(tests=str(Path(__file__).parent), dtype=dtype)
    settings = {**os.environ, "FINLLM_CACHE": str(tmp_path)}
    said = [
        subprocess.run(
            [sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert said[0] == said[1]
    assert said[0].startswith("0\n"), "a kernel was not compiled by the other process"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_without_a_writable_folder_each_run_compiles(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert run(tmp_path) == run(tmp_path) == 0


def test_a_file_in_the_folders_place_is_no_error(tmp_path):
    (tmp_path / "kernels").write_text("")
    assert run(tmp_path) == 0


def test_sources_options_and_libraries_have_folders_of_their_own(tmp_path, monkeypatch):
    folders = [compiled.kernel_folder({"parallel": True}), compiled.kernel_folder({})]
    monkeypatch.setattr(compiled, "version", lambda name: "another")
    folders.append(compiled.kernel_folder({}))
    for name, text in (("kernels.py", "a"), ("decode_kernels.py", "b"), ("kernels.py", "c")):
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(compiled, "__file__", str(tmp_path / "compiled.py"))
        folders.append(compiled.kernel_folder({}))
    assert len(set(folders)) == len(folders)
