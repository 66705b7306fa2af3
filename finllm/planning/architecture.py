"""The shape of a model, from a config.json or the table of known models, and its sizes."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KNOWN = Path(__file__).with_name("models.toml")
FAMILIES = ("llama", "mistral")  # the model types whose blocks are counted exactly here

LORA_LAYERS = {  # lora.targets: the linear layers of a block that get an adapter
    "all-linear": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    "attention": ("q_proj", "k_proj", "v_proj", "o_proj"),
    "query-value": ("q_proj", "v_proj"),
}


@dataclass(frozen=True)
class Architecture:
    """The numbers of a Llama-family model that decide its size."""

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
        """Numbers a token has in all its queries."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Numbers a token has in all its keys, or all its values."""
        return self.kv_heads * self.head_dim


def find_architecture(name: str, *, folder: str = "", revision: str = "") -> Architecture:
    """The shape of a model that params.yaml names, without its weights and without a network.

    Parameters
    ----------
    name
        A local folder with a config.json, a name in ``models.toml``, or a Hub id whose config.json
        is in the local Hub cache.
    folder
        Where the packaged model's converted files are, if that is known.
    revision
        The Hub commit whose cached config.json is meant; empty for any.

    Raises
    ------
    ValueError
        If the model is none of these, or not of a family that is counted here.
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
    """The models of ``models.toml`` by every name they have."""
    tables = tomllib.loads(KNOWN.read_text(encoding="utf-8"))
    return {
        name: from_config(table, f"{KNOWN.name}: {key}")
        for key, table in tables.items()
        for name in table["names"]
    }


def read_config(path: Path) -> Architecture:
    """The shape that a config.json describes.

    Raises
    ------
    ValueError
        If the file is not JSON, or describes something that is not counted here.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON ({error})") from None
    return from_config(config, str(path))


def from_config(config: Mapping, where: str) -> Architecture:
    """The shape in a configuration with the keys of transformers; ``where`` names it in messages.

    >>> from_config({"model_type": "gpt2"}, "config.json")
    Traceback (most recent call last):
    ...
    ValueError: config.json: model_type is 'gpt2'; counted are llama, mistral
    """
    family = config.get("model_type", "llama")
    if family not in FAMILIES:
        raise ValueError(f"{where}: model_type is {family!r}; counted are {', '.join(FAMILIES)}")
    for key in ("attention_bias", "mlp_bias"):
        if config.get(key):
            raise ValueError(f"{where}: {key} is true; only layers without a bias are counted")
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
        raise ValueError(f"{where}: no key {error}, which says how large the model is") from None


def linear_shapes(model: Architecture) -> dict[str, tuple[int, int]]:
    """The (outputs, inputs) of a block's seven linear layers: what is quantized and adapted."""
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
    """Weights of one block's linear layers."""
    return sum(outputs * inputs for outputs, inputs in linear_shapes(model).values())


def linear_parameters(model: Architecture) -> int:
    """Weights of all linear layers between embeddings and head."""
    return model.layers * block_parameters(model)


def embedding_parameters(model: Architecture) -> int:
    """Weights of the embeddings, and of the head where it is another matrix."""
    return model.vocabulary * model.hidden * (1 if model.tied else 2)


def norm_parameters(model: Architecture) -> int:
    """Weights of the norms: two a block, and one behind the last."""
    return (2 * model.layers + 1) * model.hidden


def total_parameters(model: Architecture) -> int:
    """Weights of the whole model."""
    return linear_parameters(model) + embedding_parameters(model) + norm_parameters(model)


def lora_parameters(model: Architecture, *, r: int, targets: str) -> int:
    """What LoRA of rank r trains: r (inputs + outputs) for each adapted layer.

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
