"""Complete state of a training run, stored as JSON and safetensors.

The checkpoints of PyTorch and Transformers are pickles, which run code when they are read.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.torch
import torch

TREE, TENSORS = "state.json", "tensors.safetensors"


def packed(tree: object) -> dict[str, bytes]:
    """Serialise a tree of dicts, lists, tuples, tensors and plain values into two files.

    >>> import torch
    >>> unpacked(packed({"a": {0: torch.tensor([1.5])}, "b": (1, None)}))
    {'a': {0: tensor([1.5000])}, 'b': (1, None)}
    """
    tensors: dict[str, torch.Tensor] = {}
    text = json.dumps(_encoded(tree, tensors))
    return {TREE: text.encode(), TENSORS: safetensors.torch.save(tensors)}


def unpacked(files: Mapping[str, bytes]) -> Any:
    """Return the tree that was given to ``packed``."""
    return _decoded(json.loads(files[TREE]), safetensors.torch.load(files[TENSORS]))


def _encoded(tree: object, tensors: dict[str, torch.Tensor]) -> object:
    if isinstance(tree, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = tree.detach().cpu().clone().contiguous()
        return {"tensor": name}
    if isinstance(tree, dict):  # as pairs, because JSON keys can only be strings
        return {"dict": [[key, _encoded(value, tensors)] for key, value in tree.items()]}
    if isinstance(tree, tuple):
        return {"tuple": [_encoded(value, tensors) for value in tree]}
    if isinstance(tree, list):
        return [_encoded(value, tensors) for value in tree]
    return tree


def _decoded(node: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if isinstance(node, list):
        return [_decoded(value, tensors) for value in node]
    if not isinstance(node, dict):
        return node
    ((kind, value),) = node.items()
    if kind == "tensor":
        return tensors[value].clone()
    if kind == "tuple":
        return tuple(_decoded(item, tensors) for item in value)
    return {key: _decoded(item, tensors) for key, item in value}


def random_state() -> dict[str, object]:
    """Return the states of all random generators: Python's, NumPy's, and PyTorch's on CPU and GPU.

    With several GPUs, only the state of this process's own is returned: the process draws on no
    other, and another number of GPUs may be visible when the training is resumed.
    """
    name, keys, *rest = np.random.get_state()  # noqa: NPY002 - Transformers draws from it
    return {
        "python": random.getstate(),
        "numpy": (name, keys.tolist(), *rest),
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state()] if torch.cuda.is_available() else [],
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    """Restore the states that ``random_state`` returned."""
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state(state["cuda"][0])
