"""Answer every transcript in a folder, with prompts as in the pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from finllm.answering.backend import answerer_here
from finllm.corpus import disclaimers
from finllm.corpus.boilerplate import REPEATED
from finllm.corpus.cleaning import Cleaned, cleaner_maker
from finllm.corpus.detection import detect
from finllm.corpus.sources import read_described
from finllm.instruct import chat, templates
from finllm.instruct.drafting import asker, budget_maker
from finllm.model.choice import weights_of
from finllm.model.weights import checkpoint_root
from finllm.records import Example, Line, Reject, write_jsonl
from finllm.runtime.parallel import map_batches, n_cores
from finllm.settings.params import Clean, Params


@dataclass(frozen=True)
class FolderAnswer:
    """The answer to one transcript, and how it was made."""

    id: str  # of the transcript; for a text file its name without .txt
    text: str
    template: str
    model: str  # one of finllm.model.choice.MODELS
    hit_limit: bool = False  # stopped by the length limit and not by the end-of-turn token
    n_prompt_tokens: int = 0
    n_new_tokens: int = 0
    prompt_sha256: str = ""
    decoding: str = ""
    weights_sha256: str = ""
    unanswered: str = ""  # why the model was not asked; the text is then empty


def answer_folder(
    folder: Path,
    output: Path,
    *,
    params: Params,
    template: str,
    model: str,
    adapter: Path | None = None,
) -> list[FolderAnswer]:
    """Answer each transcript; write one JSON line for each, in order of id, and return the answers.

    The prompt is made as in the pipeline, from reading to the chat format, with the template's
    first wording. A transcript that cannot be read or does not fit has an empty text and the
    reason. Finished answers are saved below ``FINLLM_CHECKPOINTS``, so a killed run resumes where
    it stopped; the output file is written at once at the end.

    Raises
    ------
    ValueError
        If the folder has nothing to read, the template is unknown, or the model does not exist.
    """
    if template not in templates.TEMPLATES:
        raise ValueError(f"template {template!r}; allowed: {', '.join(templates.TEMPLATES)}")
    weights = weights_of(model, adapter)
    examples, rejects = questions(folder, params=params, template=template)
    found = [
        FolderAnswer(reject.id, "", template, model, unanswered=f"{reject.reason}: {reject.detail}")
        for reject in rejects
    ]
    answerer = answerer_here(params, weights=weights)
    system, tokenizer = params.templatize.system_prompt, answerer.tokenizer
    prompts = [chat.render_example(tokenizer, example, system) for example in examples]
    ids = [chat.encode_prompt(tokenizer, prompt) for prompt in prompts]
    excerpts = [example.excerpt for example in examples]
    journal = answerer.journal(checkpoint_root(), ids, excerpts)
    if n_before := len(journal.read()):
        print(f"predict {model}: resuming after {n_before} of {len(prompts)} answers")
    bar = tqdm(
        answerer.answer(ids, excerpts, journal),
        total=len(ids),
        desc=f"predict {model}",
        unit="answer",
        disable=None,
    )
    found += [
        FolderAnswer(
            id=examples[answer.index].transcript_id,
            text=answerer.text(answer),
            template=template,
            model=model,
            hit_limit=answer.hit_limit,
            n_prompt_tokens=len(ids[answer.index]),
            n_new_tokens=len(answer.ids),
            prompt_sha256=chat.prompt_sha256(prompts[answer.index]),
            decoding=answerer.decoding,
            weights_sha256=answerer.weights_sha256,
        )
        for answer in bar
    ]
    found.sort(key=lambda answer: answer.id)
    write_jsonl(output, found)
    journal.remove()
    return found


def questions(folder: Path, *, params: Params, template: str) -> tuple[list[Example], list[Reject]]:
    """Return a question about each transcript of a folder, and the rejects, both in order of id.

    A reject is a transcript without a question. It is left out if it has no id, or if a question or
    an earlier reject has the same id.

    Raises
    ------
    ValueError
        If no transcript yields a question; the message gives the reason for the first.
    """
    ask = partial(
        asker,
        budget=budget_maker(params.model, params.templatize),
        lexicon=params.filter.lexicon,
        template=template,
        seed=params.templatize.seed,
    )
    lines, rejects = _clean(folder, params.clean)
    examples: list[Example] = []
    for batch in map_batches(ask, lines, n_workers=n_cores()):
        for row in batch:
            (rejects if isinstance(row, Reject) else examples).append(row)
    if not examples:
        why = next((f"{r.file} {r.reason}: {r.detail}".strip() for r in rejects), "no record")
        raise ValueError(f"{folder}: no usable transcript; first reason: {why}")
    examples.sort(key=lambda example: example.transcript_id)
    asked = {"", *(example.transcript_id for example in examples)}
    by_id = {reject.id: reject for reject in reversed(rejects)}
    return examples, [by_id[key] for key in sorted(by_id.keys() - asked)]


def _clean(folder: Path, p: Clean) -> tuple[list[Line], list[Reject]]:
    """Clean transcripts as in the stage `clean`; find repeated disclaimers within this folder."""
    prepare = cleaner_maker(replace(p, company_for_missing="id"))  # an answer needs no company
    rejects: list[Reject] = []
    found: list[disclaimers.Candidate] = []

    def kept(batches: Iterator[Cleaned | disclaimers.Erased]) -> Iterator[str]:
        for batch in batches:
            rejects.extend(batch.rejects)
            if isinstance(batch, Cleaned):
                found.extend(batch.disclaimers)
            yield from batch.lines

    records = read_described(detect(folder))
    lines = _numbered(folder, list(kept(map_batches(prepare, records, n_workers=n_cores()))))
    if REPEATED in p.remove_boilerplate:
        erase = partial(disclaimers.eraser, disclaimers.repeated(found))
        lines = _numbered(folder, list(kept(map_batches(erase, lines, n_workers=n_cores()))))
    return lines, rejects


def _numbered(folder: Path, lines: Sequence[str]) -> list[Line]:
    return [Line(folder, number, line) for number, line in enumerate(lines, 1)]
