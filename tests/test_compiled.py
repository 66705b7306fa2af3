"""Compiled kernels are kept, and never those of other sources, options or processors."""

import os
import stat
import subprocess
import sys

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
