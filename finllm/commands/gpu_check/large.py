"""Memory and speed of an 8B model, compared with the plan, ``SFTTrainer`` and ``generate``."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Iterator, Sequence

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, PreTrainedModel, TrainerCallback
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig, SFTTrainer

from finllm.answering.generate import greedy_batch
from finllm.commands.gpu_check import models
from finllm.commands.gpu_check.finding import MEASURED, NOT_RUN, Finding, bounded
from finllm.commands.gpu_check.fits import short_fit
from finllm.commands.gpu_check.writing import generated
from finllm.instruct.chat import Encoded
from finllm.model import attention
from finllm.model.loading import add_lora
from finllm.model.process_memory import cuda_peak_bytes, is_out_of_memory
from finllm.planning.answering import AnswerSetting, answer_memory
from finllm.planning.architecture import from_config
from finllm.planning.memory import GB, Setting, planned_peak

BAR = 0.15  # allowed difference of measured memory, relative to the plan
R = 16
STEPS = 3  # optimizer steps


class Clock(TrainerCallback):
    """Callback that measures the seconds of each optimizer step, without evaluations."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._started = 0.0

    def on_step_begin(self, *_: object, **__: object) -> None:
        """Start the clock."""
        self._started = _now()

    def on_step_end(self, *_: object, **__: object) -> None:
        """Store the seconds of the step."""
        self.seconds.append(_now() - self._started)

    @property
    def usual(self) -> float:
        """Mean seconds of a step, without the first, which compiles and allocates."""
        rest = self.seconds[1:] or self.seconds
        return sum(rest) / len(rest)


def training(
    name: str,
    config: LlamaConfig,
    device: torch.device,
    *,
    batch: int,
    length: int,
    labelled: int,
) -> Iterator[Finding]:
    """Check memory and measure speed of LoRA on NF4 weights, with all layers recomputed.

    Peak memory is compared with the plan, and tokens per second with stock ``SFTTrainer``, which
    trains PEFT's own adapter under autocast. Its batch is halved until it fits into memory.
    """
    optimizer = "paged_adamw_8bit" if device.type == "cuda" else "adamw_8bit"
    setting = Setting(
        quantization="nf4",
        double_quantization=True,
        compute_dtype="bfloat16",
        attention="sdpa",
        r=R,
        targets="all-linear",
        dropout=0.1,
        optimizer=optimizer,
        batch_size=batch,
        length=length,
        labelled=labelled,
        mixed_lengths=False,
        recompute_every=1,
        device="cuda",
    )
    model = from_config(config.to_dict(), name)
    planned = planned_peak(model, setting, launcher="single", devices=1)
    if without := _lacks(name, planned, device):
        yield without
        return
    _forget(device)
    base = models.random_on_device(config, device, dtype=torch.bfloat16, four_bit=True)
    rows = models.random_rows(batch * STEPS, length, labelled, config.vocab_size)
    seconds = _our_steps(base, rows, batch, optimizer)
    yield _measured_memory(f"{name}, training: memory off plan", planned, device)
    ours = batch * length / seconds
    yield _speed(f"{name}, training: tokens per second", ours, _stock(base, rows, batch, optimizer))


def answering(
    name: str,
    config: LlamaConfig,
    device: torch.device,
    *,
    batch: int,
    length: int,
    new_tokens: int,
) -> Iterator[Finding]:
    """Check memory and measure speed of answers in bfloat16.

    Peak memory is compared with the plan, and tokens per second with ``generate``.
    """
    setting = AnswerSetting(
        quantization="none",
        double_quantization=False,
        compute_dtype="bfloat16",
        r=R,
        targets="all-linear",
        batch_size=batch,
        length=length,
        new_tokens=new_tokens,
    )
    planned = answer_memory(from_config(config.to_dict(), name), setting).peak
    if without := _lacks(name, planned, device):
        yield without
        return
    _forget(device)
    model = models.random_on_device(config, device, dtype=torch.bfloat16, four_bit=False).eval()
    model.config._attn_implementation = attention.READING
    ids = models.random_ids(batch, length, config.vocab_size)
    started = _now()
    found = greedy_batch(model, ids.tolist(), max_new_tokens=new_tokens, stop_ids=[], pad_id=2)
    n = sum(len(answer.ids) for answer in found)
    ours = n / (_now() - started)
    yield _measured_memory(f"{name}, answers: memory off plan", planned, device)
    model.config._attn_implementation = "sdpa"
    started = _now()
    stock = generated(model, ids, new_tokens).numel() / (_now() - started)
    yield _speed(f"{name}, answers: tokens per second", ours, (stock, batch))


def _our_steps(base: PreTrainedModel, rows: list[Encoded], batch: int, optimizer: str) -> float:
    tuned = add_lora(
        base,
        r=R,
        alpha=2 * R,
        dropout=0.1,
        targets="all-linear",
        checkpoint_layers=1,
        seed=models.SEED,
    )
    clock = Clock()
    short_fit(
        tuned,
        rows,
        rows[:1],
        dtype="bfloat16",
        optimizer=optimizer,
        learning_rate=1e-4,
        n_steps=len(rows) // batch,
        batch_size=batch,
        callbacks=[clock],
    )
    tuned.unload()
    return clock.usual


def _stock(
    base: PreTrainedModel, rows: list[Encoded], batch: int, optimizer: str
) -> tuple[float, int]:
    """Return tokens per second of ``SFTTrainer`` and the batch that fits; zeros if none fits."""
    while batch:
        try:
            seconds = _stock_steps(base, rows, batch, optimizer)
            return batch * len(rows[0].input_ids) / seconds, batch
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        batch //= 2
        _forget(base.device)
    return 0.0, 0


def _stock_steps(base: PreTrainedModel, rows: list[Encoded], batch: int, optimizer: str) -> float:
    on_gpu = base.device.type == "cuda"
    lora = LoraConfig(r=R, lora_alpha=2 * R, lora_dropout=0.1, target_modules="all-linear",
        task_type="CAUSAL_LM")  # fmt: skip
    tuned, clock = get_peft_model(base, lora), Clock()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            arguments = SFTConfig(
                output_dir=scratch,
                per_device_train_batch_size=batch,
                max_steps=2,
                optim=optimizer,
                bf16=on_gpu,
                use_cpu=not on_gpu,
                activation_checkpointing=False,  # the base recomputes its layers already
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                max_length=None,
                dataloader_pin_memory=on_gpu,
            )
            if arguments.n_gpu > 1:
                arguments._n_gpu = 1
            trainer = SFTTrainer(
                model=tuned,
                args=arguments,
                train_dataset=_as_dataset(rows),
                processing_class=models.tokenizer(base.config.vocab_size),
                callbacks=[clock],
            )
            trainer.remove_callback(PrinterCallback)
            trainer.train()
    finally:
        tuned.unload()
    return clock.usual


def _as_dataset(rows: Sequence[Encoded]) -> Dataset:
    """Return the examples for ``SFTTrainer``: token ids, and a mask that is 1 for the answer."""
    masks = [[int(i >= row.n_prompt) for i in range(len(row.input_ids))] for row in rows]
    return Dataset.from_dict(
        {"input_ids": [row.input_ids for row in rows], "completion_mask": masks}
    )


def _measured_memory(name: str, planned: int, device: torch.device) -> Finding:
    if device.type == "cpu":
        return Finding(name, NOT_RUN, note="memory is planned only for a GPU")
    measured = cuda_peak_bytes()
    note = f"{measured / GB:.2f} GB, {planned / GB:.2f} planned"
    return bounded(name, abs(measured / planned - 1), BAR, note)


def _speed(name: str, ours: float, stock: tuple[float, int]) -> Finding:
    speed, batch = stock
    note = (
        f"stock {speed:,.0f} with a batch of {batch}" if batch else "SFTTrainer ran out of memory"
    )
    return Finding(name, MEASURED, ours, note=note)


def _lacks(name: str, planned: int, device: torch.device) -> Finding | None:
    """Return a finding if the GPU has too little free memory for the plan, else None."""
    if device.type == "cpu":
        return None
    _forget(device)
    free = torch.cuda.mem_get_info()[0]
    if planned <= free:
        return None
    return Finding(name, NOT_RUN, note=f"{planned / GB:.1f} GB planned, {free / GB:.1f} free")


def _forget(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
