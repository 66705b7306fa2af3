"""Model card in Hugging Face's format, from parameters and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jinja2

from finllm.records import METRICS
from finllm.stats import rounding

SHOWN = {  # sections and keys of params.yaml that describe how a model was trained
    "lora": ("r", "alpha", "dropout", "targets"),
    "train": ("learning_rate", "schedule", "epochs", "optimizer", "seed"),
    "model": ("quantization", "compute_dtype"),
}
PREFERRED = {**SHOWN, "prefer": ("method", "reference", "beta", "learning_rate", "epochs", "seed")}


def card(
    *,
    form: str,
    model: str,
    parameters: Mapping[str, Mapping[str, object]],
    metrics: Mapping[str, Mapping],
    licence: str,
    fictional: bool,
    data: Mapping[str, object],
    compared: Mapping[str, object] | None,
    file: str,
) -> str:
    """Return the model card as the text of a README.md with YAML front matter.

    Parameters
    ----------
    form
        ``merged``, ``gguf`` or ``adapter``.
    model
        ``tuned`` or ``preferred``. If the verdict is about the other model, the card says so.
    parameters
        Sections of params.yaml: ``data``, ``templatize``, and those of ``PREFERRED``.
    metrics
        Metrics by file name without ``.json``; ``train``, ``evaluate`` and ``verdict`` are used if
        present.
    licence
        Licence of the base model: the Hub's identifier, or ``other``.
    fictional
        Whether a generator wrote the training calls.
    data
        Description of the source, with ``licence`` and ``origin``; may be empty.
    compared
        A ``GreedyAgreement`` as a mapping; None for the adapter itself.
    file
        Name of the GGUF file.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    base = str(parameters["model"]["name"])
    quantized = parameters["model"]["quantization"] != "none"
    verdict = metrics.get("verdict")
    library = {"adapter": "peft", "merged": "transformers", "gguf": "gguf"}[form]
    return environment.get_template("card.md.j2").render(
        format=form,
        rounding=rounding,
        title=f"{base.split('/')[-1]} on earnings calls",
        base_model=base,
        library=library,
        license=licence,
        tags=["finance", "earnings-calls", "lora", *(["qlora"] if quantized else []), form],
        source=parameters["data"]["source"],
        metric_names=METRICS,
        method="QLoRA" if quantized else "LoRA",
        fictional=fictional,
        model=model,
        verdict=verdict,
        judged=(verdict or {}).get("candidate", "tuned"),
        train=metrics.get("train"),
        test=metrics.get("evaluate", {}).get("test"),
        settings={
            f"{section}.{key}": parameters[section][key]
            for section, keys in (SHOWN if model == "tuned" else PREFERRED).items()
            for key in keys
        },
        system_prompt=parameters["templatize"]["system_prompt"],
        max_tokens=parameters["templatize"]["max_tokens"],
        compared=compared,
        file=file,
        data_licence=str(data.get("licence", "")),
        data_origin=str(data.get("origin", "")),
    )
