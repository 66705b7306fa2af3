"""Write the tuned model, load it again, and compare its answers with the evaluated ones."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finllm.answering.generate import answers
from finllm.answering.predicting import load_answerer
from finllm.instruct import chat
from finllm.model import export_formats, gguf_file
from finllm.model.adapter import copy_adapter, with_adapter
from finllm.model.choice import FOLDERS, MADE_BY
from finllm.model.compute_type import resolved
from finllm.model.loading import load_base
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import base_folder, package_folder
from finllm.records import Example, read_examples, write_json, write_text
from finllm.report.card import card
from finllm.report.cautions import is_fictional
from finllm.settings.params import Params

GGUF_NAME = "model.gguf"


def export_model(
    form: str,
    output: Path,
    *,
    params: Params,
    model: str,
    adapter: Path | None,
    examples: Path,
    metrics: Path,
    n_prompts: int,
    force: bool,
) -> export_formats.GreedyAgreement | None:
    """Write a folder with the tuned model and its card, and compare its answers.

    The evaluated model is that of the stage `predict`: the adapter merged into the base in the
    compute type, or, if ``predict.quantization`` is not none, the adapter on the quantized base.
    The merged model is exported bit for bit (GGUF always in bfloat16). With a quantized base, the
    exported model is not the evaluated one; the comparison of greedy answers shows the difference.

    Parameters
    ----------
    form
        ``merged``, ``gguf``, or ``adapter`` (the adapter and the card, without a comparison).
    output
        Folder to create; ``force`` replaces one that is not empty.
    model
        ``tuned`` or ``preferred``.
    adapter
        Folder of the adapter, if not the model's own.
    examples
        File of test examples.
    metrics
        Folder of metrics, with ``details/`` in it.
    n_prompts
        Number of test prompts to compare.

    Returns
    -------
    GreedyAgreement or None
        Agreement of the greedy answers of exported and evaluated model; None for ``adapter``.

    Raises
    ------
    ValueError
        If ``model`` is unknown, a file is missing, ``output`` is a file, or not empty without
        ``force``, or the format cannot represent the model.
    """
    if model not in FOLDERS:
        raise ValueError(f"model {model!r} cannot be exported; allowed: {', '.join(FOLDERS)}")
    adapter = adapter or FOLDERS[model]
    if not (adapter / "adapter_config.json").is_file():
        raise ValueError(f"{adapter}: no adapter there; {MADE_BY[model]}")
    if form != "adapter" and not examples.is_file():
        raise ValueError(f"{examples}: no such file; run `dvc repro split` first")
    compared = None
    with export_formats.new_folder(output, force=force) as folder:
        if form == "adapter":
            copy_adapter(adapter, folder)
        else:
            source = base_folder(params.model)
            tokenizer = load_tokenizer(source, revision=params.model.revision)
            rows = read_examples(examples)[:n_prompts]
            prompts = _prompts(tokenizer, rows, params)
            answerer = load_answerer(params, weights=adapter)  # as in the stage `predict`
            evaluated, stops = answerer.model, answerer.stop_ids
            device = evaluated.device
            expected = _answers(evaluated, tokenizer, prompts, params, stops)
            merged = evaluated
            if params.predict.quantization != "none":
                merged = with_adapter(_base(source, params), adapter, merge=True)
            if form == "merged":
                export_formats.write_merged(merged, tokenizer, folder)
            else:
                gguf_file.write_gguf(merged, tokenizer, folder / GGUF_NAME)
            del merged  # free the memory before the weights are loaded again
            with export_formats.set_aside(evaluated):
                again = export_formats.reload(
                    folder,
                    dtype=evaluated.dtype,
                    device=device,
                    gguf_file=GGUF_NAME if form == "gguf" else "",
                )
                found = _answers(again, tokenizer, prompts, params, stops)
                del again
            lead, usual = export_formats.leads(
                evaluated, prompts, expected, found, stop_id=min(stops)
            )
            compared = dataclasses.replace(
                export_formats.greedy_agreement(expected, found),
                lead_at_differences=lead,
                usual_lead=usual,
            )
            write_json(folder / "export.json", {"format": form, **dataclasses.asdict(compared)})
        write_text(folder / "README.md", _card(form, params, metrics, compared, model))
    return compared


def _base(source: str, params: Params) -> PreTrainedModel:
    return load_base(  # not in four bits: quantizing the merged weights again would ruin them
        source,
        revision=params.model.revision,
        quantization="none",
        double_quantization=False,
        compute_dtype=resolved(params.model).compute_dtype,
        attention_kernel="matmul",
    ).eval()


def _prompts(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[Example], params: Params
) -> list[list[int]]:
    system = params.templatize.system_prompt
    return [
        chat.encode_prompt(
            tokenizer,
            chat.render_prompt(
                tokenizer,
                system_prompt=system,
                instruction=row.instruction,
                excerpt=row.excerpt,
            ),
        )
        for row in rows
    ]


def _answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[list[int]],
    params: Params,
    stop_ids: Sequence[int],
) -> list[list[int]]:
    """Return the token ids of the greedy answers, in the order of the prompts."""
    found = answers(
        model,
        prompts,
        max_new_tokens=params.predict.max_new_tokens,
        stop_ids=stop_ids,
        pad_id=tokenizer.pad_token_id,
        batch_size=params.predict.batch_size,
    )
    by_prompt = {answer.index: answer.ids for answer in found}
    return [by_prompt[i] for i in range(len(prompts))]


def _card(
    form: str,
    params: Params,
    folder: Path,
    compared: export_formats.GreedyAgreement | None,
    model: str,
) -> str:
    names = ("train", "evaluate", "verdict", "templatize")
    files = {name: folder / "details" / f"{name}.json" for name in names}
    metrics = {name: json.loads(f.read_text()) for name, f in files.items() if f.is_file()}
    m, source = params.model, params.data.source
    licence = "other"
    if m.gguf_package:
        licence = gguf_file.licence(package_folder(m.gguf_package) / m.gguf_file)
    described = Path("data/raw") / source / "source.yaml"
    data = YAML(typ="safe").load(described) if described.is_file() else {}
    made = metrics.get("templatize", {"examples_by_provenance": {}})
    parameters = {name: dataclasses.asdict(section) for name, section in vars(params).items()}
    if became := metrics.get("train", {}).get("compute_dtype"):
        parameters["model"]["compute_dtype"] = became
    return card(
        form=form,
        model=model,
        parameters=parameters,
        metrics=metrics,
        licence=licence,
        data=data,
        fictional=is_fictional(source, made),
        compared=dataclasses.asdict(compared) if compared else None,
        file=GGUF_NAME,
    )
