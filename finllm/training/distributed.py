"""Multi-process specifics: forward pass, adapter weights, optimizer state and loss.

In a single process, every function here reduces to the plain operation.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import DistributedType
from peft import PeftModel
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy
from torch.distributed.tensor import DTensor, distribute_tensor


def call_inside(
    wrapper: torch.nn.Module,
    module: torch.nn.Module,
    function: Callable[..., torch.Tensor],
    *arguments: Any,
) -> torch.Tensor:
    """Run ``function(*arguments)`` as the forward pass of ``wrapper``, which wraps ``module``.

    DDP, FSDP and DeepSpeed do their work (prepare to reduce gradients, gather shards) when the
    wrapper is called. A loss that called the inner module directly would bypass them, and each
    process would silently train on its own gradients only.
    """
    own = module.__dict__.get("forward")

    def forward(*args: Any) -> torch.Tensor:
        _put_back(module, own)
        return function(*args)

    module.forward = forward
    try:
        return wrapper(*arguments)
    finally:
        _put_back(module, own)


def _put_back(module: torch.nn.Module, own: Any) -> None:
    if own is None:
        module.__dict__.pop("forward", None)
    else:
        module.forward = own


def shard_on_cpu() -> None:
    """Let Accelerate apply FSDP on a CPU, with gloo.

    PyTorch can shard on a CPU, but Accelerate 1.15 applies FSDP only to processes on a known
    accelerator, and silently falls back to DDP on a CPU. Call this between creating the trainer's
    arguments (which set up the processes) and the trainer; the rest is Accelerate's own code path.
    """
    state = PartialState()
    if state.distributed_type == DistributedType.MULTI_CPU:
        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU


def reduce_in_float32(accelerator: Accelerator) -> None:
    """Make FSDP sum gradients, and return the loss, in float32, whatever the mixed precision.

    Accelerate's own policy uses the mixed-precision type for both: in bfloat16 the loss of a step
    is off by up to 0.4 %, and in float16 a sum beyond 65,504 is infinite. Call this before the
    model is sharded. The adapter's weights are gathered in float32, their own type.
    """
    if accelerator.is_fsdp2:
        policy = MixedPrecisionPolicy(reduce_dtype=torch.float32)
        accelerator.state.fsdp_plugin.mixed_precision_policy = policy


def share_held(model: torch.nn.Module) -> float:
    """Return the share of the model's parameters in this process: 1, or less if it is sharded."""
    _reshard(model)
    held = whole = 0
    for parameter in model.parameters():
        if "ds_id" in parameter.__dict__:  # ZeRO-3
            held += parameter.ds_tensor.numel()
            whole += parameter.ds_numel
        else:
            sharded = isinstance(parameter, DTensor)
            held += parameter.to_local().numel() if sharded else parameter.numel()
            whole += parameter.numel()
    return held / whole


def trained_weights(model: PeftModel) -> dict[str, torch.Tensor]:
    """Return a copy of the trained parameters by name, gathered if they are sharded.

    Every process must call it, and each gets the same result.
    """
    _reshard(model)
    trained = _trained(model)
    with _gathered(trained.values()):
        return {name: _whole(p.detach()).clone() for name, p in trained.items()}


def put_weights(model: PeftModel, weights: dict[str, torch.Tensor]) -> None:
    """Write full weights, as from ``trained_weights``, into the adapter, sharded or not."""
    _reshard(model)
    trained = _trained(model)
    if trained.keys() != weights.keys():
        odd = sorted(trained.keys() ^ weights.keys())[0]
        raise ValueError(f"the weights are not this adapter's: {odd} is in only one of the two")
    with torch.no_grad(), _gathered(trained.values(), write=True):
        for name, parameter in trained.items():
            value = weights[name].to(parameter.device, parameter.dtype)
            if isinstance(parameter, DTensor):
                value = distribute_tensor(value, parameter.device_mesh, parameter.placements)
            parameter.copy_(value)


def put_saved_adapter(model: PeftModel, weights: dict[str, torch.Tensor]) -> None:
    """Write weights into the adapter, given under the names in an adapter file."""
    names = [name for name in _trained(model)]
    put_weights(model, {n: weights[n.replace(".default.", ".")] for n in names})


def whole_state(tree: Any) -> Any:
    """Return a tree of dicts, lists and tuples with every sharded tensor in it gathered.

    Every process must call it with the same tree; plain tensors and values are returned as they
    are.
    """
    return _mapped(tree, _whole)


def sharded_state(state: dict[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return a full optimizer state with each moment sharded like its parameter."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    moments = {
        index: {name: _sharded_as(value, parameters[index]) for name, value in of_one.items()}
        for index, of_one in state["state"].items()
    }
    return {**state, "state": moments}


def _sharded_as(value: Any, parameter: torch.nn.Parameter) -> Any:
    if not isinstance(parameter, DTensor) or not isinstance(value, torch.Tensor) or not value.dim():
        return value  # the step count is not a moment
    value = value.to(parameter.device)
    return distribute_tensor(value, parameter.device_mesh, parameter.placements)


def _mapped(tree: Any, function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(tree, torch.Tensor):
        return function(tree)
    if isinstance(tree, dict):
        return {key: _mapped(value, function) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_mapped(value, function) for value in tree)
    return tree


def _reshard(model: torch.nn.Module) -> None:
    """Drop full weights that FSDP may keep after a forward pass; writes to them would be lost."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def _trained(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def _whole(value: torch.Tensor) -> torch.Tensor:
    return value.full_tensor() if isinstance(value, DTensor) else value


def _gathered(
    parameters: Iterable[torch.nn.Parameter], *, write: bool = False
) -> contextlib.AbstractContextManager[None]:
    """Return a context in which parameters partitioned by ZeRO-3 are gathered."""
    partitioned = [p for p in parameters if "ds_id" in p.__dict__]
    if not partitioned:
        return contextlib.nullcontext()
    from deepspeed.zero import GatheredParameters

    return GatheredParameters(partitioned, modifier_rank=0 if write else None)
