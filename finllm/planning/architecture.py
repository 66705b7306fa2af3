"""The shape of a model, from a config.json or a table of known models, and its weight counts."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KNOWN = Path(__file__).with_name("models.toml")
FAMILIES = ("llama", "mistral")  # model types whose blocks are counted exactly

LORA_LAYERS = {  # lora.targets: the linear layers of a block that get an adapter
    "all-linear": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    "attention": ("q_proj", "k_proj", "v_proj", "o_proj"),
    "query-value": ("q_proj", "v_proj"),
}


@dataclass(frozen=True)
class Architecture:
    """Dimensions of a Llama-family model that determine its size."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    context: int
    tied: bool  # whether the head is the embedding matrix

    @property
    def query_width(self) -> int:
        """Width of all queries of a token together."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Width of all keys of a token together, and of all its values."""
        return self.kv_heads * self.head_dim


def find_architecture(name: str, *, folder: str = "", revision: str = "") -> Architecture:
    """Find the shape of a model that params.yaml names, without its weights or a network.

    Parameters
    ----------
    name
        A local folder with a config.json, a name in ``models.toml``, or a Hub id whose config.json
        is in the local Hub cache.
    folder
        Folder of the packaged model's converted files, if known.
    revision
        Hub commit of the cached config.json; empty for any.

    Raises
    ------
    ValueError
        If the model is none of these, or not of a family in ``FAMILIES``.
    """
    for place in (folder, name):
        if place and (Path(place) / "config.json").is_file():
            return read_config(Path(place) / "config.json")
    known = known_models()
    if name in known:
        return known[name]
    cached = _cached_config(name, revision)
    if cached is not None:
        return read_config(cached)
    raise ValueError(
        f"model.name is {name!r}, which is not a folder with a config.json, not in the Hub's cache "
        f"on this machine, and not a known model; known are: {', '.join(sorted(known))}"
    )


def known_models() -> dict[str, Architecture]:
    """Return the models of ``models.toml`` by each of their names."""
    tables = tomllib.loads(KNOWN.read_text(encoding="utf-8"))
    return {
        name: from_config(table, f"{KNOWN.name}: {key}")
        for key, table in tables.items()
        for name in table["names"]
    }


def read_config(path: Path) -> Architecture:
    """Read the shape of a model from a config.json.

    Raises
    ------
    ValueError
        If the file is not JSON, or the model's weights cannot be counted here.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON ({error})") from None
    return from_config(config, str(path))


def from_config(config: Mapping, where: str) -> Architecture:
    """Return the shape in a transformers configuration; ``where`` names it in error messages.

    >>> from_config({"model_type": "gpt2"}, "config.json")
    Traceback (most recent call last):
    ...
    ValueError: config.json: model_type is 'gpt2'; supported: llama, mistral
    """
    family = config.get("model_type", "llama")
    if family not in FAMILIES:
        raise ValueError(f"{where}: model_type is {family!r}; supported: {', '.join(FAMILIES)}")
    for key in ("attention_bias", "mlp_bias"):
        if config.get(key):
            raise ValueError(f"{where}: {key} is true; only layers without a bias are supported")
    try:
        hidden, heads = config["hidden_size"], config["num_attention_heads"]
        return Architecture(
            hidden=hidden,
            intermediate=config["intermediate_size"],
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_dim=config.get("head_dim") or hidden // heads,
            vocabulary=config["vocab_size"],
            context=config.get("max_position_embeddings", 0),
            tied=config.get("tie_word_embeddings", False),
        )
    except KeyError as error:
        raise ValueError(f"{where}: key {error} is missing") from None


def linear_shapes(model: Architecture) -> dict[str, tuple[int, int]]:
    """Return (outputs, inputs) of a block's seven linear layers, those quantized and adapted."""
    q, kv, h, f = model.query_width, model.kv_width, model.hidden, model.intermediate
    return {
        "q_proj": (q, h),
        "k_proj": (kv, h),
        "v_proj": (kv, h),
        "o_proj": (h, q),
        "gate_proj": (f, h),
        "up_proj": (f, h),
        "down_proj": (h, f),
    }


def block_parameters(model: Architecture) -> int:
    """Return the number of weights in one block's linear layers."""
    return sum(outputs * inputs for outputs, inputs in linear_shapes(model).values())


def linear_parameters(model: Architecture) -> int:
    """Return the number of weights in all linear layers between embeddings and head."""
    return model.layers * block_parameters(model)


def embedding_parameters(model: Architecture) -> int:
    """Return the number of weights in the embeddings and, if it is a separate matrix, the head."""
    return model.vocabulary * model.hidden * (1 if model.tied else 2)


def norm_parameters(model: Architecture) -> int:
    """Return the number of weights in the norms: two per block, and one after the last block."""
    return (2 * model.layers + 1) * model.hidden


def total_parameters(model: Architecture) -> int:
    """Return the number of weights in the whole model."""
    return linear_parameters(model) + embedding_parameters(model) + norm_parameters(model)


def lora_parameters(model: Architecture, *, r: int, targets: str) -> int:
    """Return the number of weights that LoRA trains: r (inputs + outputs) per adapted layer.

    Hu et al. 2021, arXiv 2106.09685, section 4.2.
    """
    shapes = linear_shapes(model)
    return model.layers * r * sum(sum(shapes[name]) for name in LORA_LAYERS[targets])


def _cached_config(name: str, revision: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name, "config.json", revision=revision or None)
    except HFValidationError:  # a path, for example
        return None
    return Path(found) if isinstance(found, str) else None
