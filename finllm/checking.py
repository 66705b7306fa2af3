"""Early checks of a run, before DVC removes the outputs of the previous run.

DVC removes the outputs of a stage right before it runs the stage. Therefore the stage ``check``, on
which all others depend, first checks params.yaml, the sources and models that it names, and whether
this machine can run them. It takes about a second and loads no model.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from finllm.corpus.description import describe_source
from finllm.corpus.remote import list_urls
from finllm.corpus.sources import check_reject_share, list_sources, read_described
from finllm.fiction.industries import SECTORS
from finllm.fiction.synthetic import MAX_CALLS_PER_COMPANY
from finllm.instruct.splits import check_shares, check_transfer_sectors
from finllm.languages.lexicon import load_lexicon
from finllm.model.weights import package_folder
from finllm.planning.architecture import known_models, read_config
from finllm.records import NO_SOURCE, Reject, Transcript
from finllm.runtime.ray_cluster import check_installed
from finllm.settings.params import Params

SAMPLE = "sample"  # the source that a stage writes
MANY = 5_000  # records; a larger source is not read to its end


def check(params: Params, root: Path) -> None:
    """Raise an error if the configuration cannot work, with one line per problem.

    Raises
    ------
    ValueError
        If a value cannot work; the message names each key, its value, and the allowed values.
    """
    wrong = []
    for look in (
        _sample,
        _sources,
        _lexicon,
        _model,
        _encoder,
        _machine,
        _launch,
        _prefer,
        _engine,
    ):
        for part in look(params, root):
            try:
                part()
            except (ValueError, OSError) as error:
                wrong.append(str(error))
    if wrong:
        raise ValueError("\n  ".join(["", *wrong] if len(wrong) > 1 else wrong))


def _sample(params: Params, _: Path) -> Iterator[Callable[[], None]]:
    p = params.sample

    def sizes() -> None:
        if not p.n_companies <= p.n_calls <= MAX_CALLS_PER_COMPANY * p.n_companies:
            raise ValueError(
                f"sample.n_calls is {p.n_calls} and sample.n_companies {p.n_companies}; each "
                f"company needs 1 to {MAX_CALLS_PER_COMPANY} calls"
            )
        if p.n_duplicates > p.n_calls:
            raise ValueError(
                f"sample.n_duplicates is {p.n_duplicates}; at most sample.n_calls, {p.n_calls}"
            )

    def split() -> None:
        held_out = set(params.split.transfer_sectors)
        check_transfer_sectors(held_out, (sector.name for sector in SECTORS))
        # companies take the sectors in turn from a random start: at most this many remain
        _check_companies(params, p.n_companies - len(held_out) * (p.n_companies // len(SECTORS)))

    if params.data.source == SAMPLE:
        yield sizes
        yield split


def _sources(params: Params, root: Path) -> Iterator[Callable[[], None]]:
    raw = root / "data" / "raw"
    named = {"data.source": params.data.source}
    if params.data.transfer_source != NO_SOURCE:
        named["data.transfer_source"] = params.data.transfer_source
    for key, name in named.items():
        if name != SAMPLE:
            yield lambda key=key, name=name: _source(params, key, name, raw)


def _source(params: Params, key: str, name: str, raw: Path) -> None:
    folder = raw / name
    if not folder.is_dir():
        raise ValueError(f"{key} is {name!r}, but {folder} does not exist; {list_sources(raw)}")
    described = describe_source(folder)
    if described.format == "hub" and described.dataset:
        return  # a dataset of the Hub is not downloaded here
    if described.url:
        list_urls(described.url)  # check that it exists; only clean reads it
        return
    records = read_described(described, name=folder / "source.yaml")
    first = list(itertools.islice(records, MANY + 1))
    calls = [record for record in first if isinstance(record, Transcript)]
    if len(first) > MANY:
        return
    rejects = [record for record in first if isinstance(record, Reject)]
    check_reject_share(rejects, len(first), params.clean.max_reject_share)
    if key != "data.source" or not calls:
        return
    if params.templatize.weights.summarization and not any(call.summary for call in calls):
        raise ValueError(
            f"templatize.weights.summarization is {params.templatize.weights.summarization:g}, and "
            f"no call of {folder} has a summary; set that weight to 0 and raise another"
        )
    sectors = {call.company or call.ticker or call.id: call.sector for call in calls}
    held_out = params.split.transfer_sectors
    check_transfer_sectors(held_out, sectors.values())
    _check_companies(params, sum(sector not in held_out for sector in sectors.values()))


def _check_companies(params: Params, n: int) -> None:
    """Raise an error if ``n`` companies, not counting the transfer set's, are too few to split."""
    p = params.split
    check_shares(
        n,
        val_share=p.val_share,
        test_share=p.test_share,
        minimum=p.min_test_companies,
        n_folds=p.n_folds,
    )


def _lexicon(params: Params, root: Path) -> Iterator[Callable[[], None]]:
    file = params.filter.lexicon

    def look() -> None:
        if not (root / file).is_file():
            raise ValueError(f"filter.lexicon is {file!r}, but the file does not exist")
        load_lexicon(str(root / file))

    if file:
        yield look


def _model(params: Params, root: Path) -> Iterator[Callable[[], None]]:
    m, longest = params.model, params.templatize.max_tokens

    def weights() -> None:
        if m.gguf_package:
            folder = package_folder(m.gguf_package)
            if not (folder / m.gguf_file).is_file():
                found = ", ".join(sorted(path.name for path in folder.glob("*.gguf"))) or "none"
                raise ValueError(
                    f"model.gguf_file is {m.gguf_file!r}; package {m.gguf_package} holds: {found}"
                )
        else:
            _check_place("model.name", m.name, root)

    def context() -> None:
        config = root / m.name / "config.json"
        known = read_config(config) if config.is_file() else known_models().get(m.name)
        if known and longest > known.context:
            raise ValueError(
                f"templatize.max_tokens is {longest}; {m.name} reads at most {known.context} tokens"
            )

    yield weights
    yield context


def _encoder(params: Params, root: Path) -> Iterator[Callable[[], None]]:
    e = params.evaluate

    def look() -> None:
        if not e.encoder_package:
            _check_place("evaluate.encoder", e.encoder, root)
        packaged = e.encoder_package and package_folder(e.encoder_package) / "model"
        config = Path(packaged or root / e.encoder) / "config.json"
        if not config.is_file():
            return  # the encoder is on the Hub
        layers = json.loads(config.read_text(encoding="utf-8"))["num_hidden_layers"]
        if e.encoder_layer > layers:
            raise ValueError(
                f"evaluate.encoder_layer is {e.encoder_layer}; {e.encoder} has {layers} layers, "
                "counted from 1"
            )

    yield look


def _check_place(key: str, name: str, root: Path) -> None:
    if (root / name).is_dir():
        if not (root / name / "config.json").is_file():
            raise ValueError(f"{key} is {name!r}, but that folder has no config.json")
    elif name.count("/") != 1 or name.startswith((".", "/")):
        raise ValueError(
            f"{key} is {name!r}, which is neither a local folder nor a Hub id (owner/name)"
        )


def _machine(params: Params, _: Path) -> Iterator[Callable[[], None]]:
    m, p = params.model, params.train
    wanted = {
        ("train.optimizer", p.optimizer, "adamw"): ("paged_adamw_8bit",),
        ("model.compute_dtype", m.compute_dtype, "bfloat16"): ("float16",),
        ("model.backend", m.backend, "auto"): ("liger", "unsloth"),
        ("model.attention", m.attention, "auto"): ("flash_attention_2",),
        ("predict.backend", params.predict.backend, "auto"): ("vllm",),
    }
    for (key, value, instead), need_gpu in wanted.items():
        if value in need_gpu:
            yield lambda key=key, value=value, instead=instead: _require_gpu(key, value, instead)

    def checkpointing() -> None:
        raise ValueError(
            f"train.checkpoint_layers is {p.checkpoint_layers} and model.backend is unsloth, which "
            "recomputes all layers or none; set train.checkpoint_layers to 1 or 0"
        )

    def int8() -> None:
        if not _has_gpu():
            raise ValueError(
                "lora.dora is true and model.quantization is int8, which needs a GPU, and this "
                "machine has none; set model.quantization to nf4 or none"
            )

    if m.backend == "unsloth" and p.checkpoint_layers > 1:
        yield checkpointing
    if p.method == "lora" and params.lora.dora and m.quantization == "int8":
        yield int8


def _require_gpu(key: str, value: str, instead: str) -> None:
    if not _has_gpu():
        raise ValueError(
            f"{key} is {value}, which needs a GPU; this machine has none; use {instead}"
        )
    modules = {"liger": "liger_kernel", "unsloth": "unsloth", "flash_attention_2": "flash_attn"}
    modules |= {"vllm": "vllm"}
    if value in modules and importlib.util.find_spec(modules[value]) is None:
        raise ValueError(f"{key} is {value}, but {modules[value]} is not installed; use {instead}")


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _launch(params: Params, root: Path) -> Iterator[Callable[[], None]]:
    p = params.train

    def look() -> None:
        from finllm.training import launch

        launch.n_processes(p.launcher, p.devices)
        config = root / "presets" / "accelerate" / f"{p.launcher}.yaml"
        if p.launcher != launch.SINGLE and not config.is_file():
            raise ValueError(f"train.launcher is {p.launcher}, but {config} does not exist")

    if p.launcher != "single" or p.devices > 1:
        yield look


def _prefer(params: Params, _: Path) -> Iterator[Callable[[], None]]:
    def method() -> None:
        from finllm.preference.losses import check_method  # imports torch, which takes seconds

        check_method(params.prefer.method)

    if params.prefer.method != "none":
        yield method


def _engine(params: Params, _: Path) -> Iterator[Callable[[], None]]:
    if params.execution.engine == "ray":
        yield check_installed
