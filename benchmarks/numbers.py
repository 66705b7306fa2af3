"""Evaluate `finllm.numbers`: labelled figures, speed, and comparison with two libraries.

    python benchmarks/numbers.py
    python benchmarks/numbers.py --libraries quantulum3 recognizers --calls 4
    python benchmarks/numbers.py --libraries quantulum3 recognizers --only-world

The libraries need an environment of their own, without any other package:

    python -m venv numbers-venv
    numbers-venv/bin/pip install quantulum3 recognizers-text-suite "emoji<2" "setuptools<80"

Run the other commands with that environment's Python. A library's range is right if both ends are
found; sign and value are scored on money, percent and counts, which the libraries can identify.

The sentences of ``tests/world_mentions*.tsv`` are scored by value and sign alone, so that a library
may call a multiple a number. A mention is right if its value is among those found (both ends for a
range), and a sentence if in addition nothing else is found; periods and years are ignored.
quantulum3 reads English; recognizers has no German in Python. Rules of this project were fitted to
these files, so its own figures on them are not held-out; the first lines of the files give the
results before the fitting.
"""

from __future__ import annotations

import argparse
import ast
import csv
import json
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # this file's own folder would hide the standard library's `numbers`

from finllm.corpus.notation import signature, standardise_notation  # noqa: E402
from finllm.numbers import extract_quantities  # noqa: E402

TAG_KINDS = {"MONEY": "money", "PERCENT": "percent"}
NAMED_BY_LIBRARIES = ("money", "percent", "count")


@dataclass(frozen=True)
class Found:
    """A quantity found by an extractor: its kind, values (two for a range) and span."""

    kind: str
    values: tuple[float, ...]
    start: int
    end: int


Extractor = Callable[..., list[Found]]  # takes a text and its language, "" for English
WORLD = ("", "de", "fr", "es", "pt")  # languages of the labelled sentences


def finllm_extractor(text: str, language: str = "") -> list[Found]:
    """Return the quantities that this project extracts."""
    found = []
    for q in extract_quantities(text, language):
        values = (q.value,) if q.low is None or q.high is None else (q.low, q.high)
        found.append(Found(q.kind, values, q.start, q.end))
    return found


def quantulum_extractor() -> Extractor:
    """Return quantulum3 as an extractor."""
    warnings.simplefilter("ignore")
    from quantulum3 import parser  # installed by hand, see above

    def extract(text: str, language: str = "") -> list[Found]:
        found = []
        for q in parser.parse(text):
            entity, name = q.unit.entity.name, q.unit.name
            kind = "money" if entity == "currency" else "count"
            kind = "percent" if "percent" in name else kind
            value = q.value / 100 if kind == "money" and name == "cent" else q.value
            found.append(Found(kind, (value,), *q.span))
        return found

    return extract


def recognizers_extractor() -> Extractor:
    """Return Microsoft's recognizers as an extractor."""
    from recognizers_number import NumberRecognizer  # installed by hand, see above
    from recognizers_number_with_unit import NumberWithUnitRecognizer
    from recognizers_text import Culture

    cultures = {
        "": Culture.English,
        "fr": Culture.French,
        "es": Culture.Spanish,
        "pt": Culture.Portuguese,
    }
    models = {
        language: {
            "money": NumberWithUnitRecognizer(culture).get_currency_model(),
            "percent": NumberRecognizer(culture).get_percentage_model(),
            "count": NumberRecognizer(culture).get_number_model(),
        }
        for language, culture in cultures.items()
    }

    def extract(text: str, language: str = "") -> list[Found]:
        found: list[Found] = []
        for kind, model in models[language].items():
            for result in model.parse(text):
                value = (result.resolution or {}).get("value")
                if value is None or any(
                    f.start <= result.end and f.end > result.start for f in found
                ):
                    continue
                number = float(str(value).rstrip("%").replace(",", "."))  # "8,5" in Portuguese
                if (result.resolution or {}).get("unit") == "Cent":
                    number /= 100
                found.append(Found(kind, (number,), result.start, result.end + 1))
        return found

    return extract


def read_call(path: Path) -> tuple[str, list[tuple[int, int]], list[set[str]]]:
    """Return the text of an Earnings-21 call, the span of each token and its tags."""
    text, spans, tags = "", [], []
    with path.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="|", quoting=csv.QUOTE_NONE):
            text += " " if text else ""
            spans.append((len(text), len(text) + len(row["token"])))
            text += row["token"] + row["punctuation"]
            tags.append({tag.split(":")[1] for tag in ast.literal_eval(row["tags"])})
    return text, spans, tags


def sentences(text: str) -> list[tuple[int, str]]:
    """Split a call at ". ", because the libraries need short texts, with offsets."""
    parts, at = [], 0
    for part in text.split(". "):
        parts.append((at, part + "."))
        at += len(part) + 2
    return parts


def score_tags(extract: Extractor, calls: list[Path], whole: bool) -> dict[str, float]:
    """Return token recall and precision for MONEY and PERCENT, on tokens with a digit.

    The tags name a kind only if the token itself contains "$" or "%": in the gold labels, "25
    cents", "RMB 5" and the 50 of "50 to 60%" are CARDINAL. Precision is therefore given twice: over
    every token with a digit, and over the tokens with a digit that contain "$" or "%" or have a
    gold tag other than CARDINAL, ALPHANUMERIC and RANGE.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for path in calls:
        text, spans, tags = read_call(path)
        parts = [(0, text)] if whole else sentences(text)
        found = [(f.start + at, f.end + at, f.kind) for at, part in parts for f in extract(part)]
        kinds = [""] * len(spans)
        position = 0
        for start, end, kind in sorted(found):
            while position < len(spans) and spans[position][1] <= start:
                position += 1
            nth = position
            while nth < len(spans) and spans[nth][0] < end:
                kinds[nth] = kinds[nth] or kind
                nth += 1
        for (start, end), gold, kind in zip(spans, tags, kinds, strict=True):
            token = text[start:end]
            if not any(c.isdigit() for c in token):
                continue
            for tag, name in TAG_KINDS.items():
                outcome = (tag in gold) * 2 + (kind == name)
                counts[tag, ("", "wrong", "missed", "right")[outcome]] += 1
                unclear = gold & {"CARDINAL", "ALPHANUMERIC", "RANGE"}
                if outcome == 1 and (not unclear or "$" in token or "%" in token):
                    counts[tag, "clearly wrong"] += 1
    figures = {}
    for tag in TAG_KINDS:
        right = counts[tag, "right"]
        name = tag.lower()
        figures[f"{name}_recall"] = right / max(1, right + counts[tag, "missed"])
        figures[f"{name}_precision"] = right / max(1, right + counts[tag, "clearly wrong"])
        figures[f"{name}_precision_all_tokens"] = right / max(1, right + counts[tag, "wrong"])
    return figures


def read_mentions(data: Path, path: Path) -> list[tuple[str, int, int, dict[str, str]]]:
    """Return text, start, end and label of each hard mention, from its pointer."""
    mentions, texts = [], {}
    with path.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            file = data / row["source"] / row["file"]
            start, end = int(row["start"]), int(row["end"])
            if row["source"] == "earnings21":
                if file not in texts:
                    texts[file] = read_call(file)
                text, spans, _ = texts[file]
                first, last = spans[start][0], spans[end - 1][1]
                begin = max(0, text.rfind(". ", 0, max(0, first - 150)) + 2)
                stop = text.find(". ", last + 60)
                stop = len(text) if stop < 0 else stop + 1
                mentions.append((text[begin:stop], first - begin, last - begin, row))
            else:
                if file not in texts:
                    texts[file] = file.read_text(encoding="utf-8").split("\n")
                mentions.append((texts[file][int(row["line"]) - 1], start, end, row))
    return mentions


def score_mentions(
    extract: Extractor, mentions: list[tuple[str, int, int, dict[str, str]]]
) -> dict[str, float]:
    """Return the shares of hard mentions with right value, kind and sign, or rightly ignored."""
    counts: Counter[str] = Counter()
    for text, start, end, label in mentions:
        over = [f for f in extract(text) if f.start < end and f.end > start]
        if label["kind"] == "none":
            counts["none"] += 1
            counts["none right"] += not over
            continue
        if label["kind"] not in NAMED_BY_LIBRARIES:
            continue
        gold = [float(label[k]) for k in ("low", "high") if label[k]] or [float(label["value"])]
        said = [v for f in over for v in f.values]
        value = all(any(_same(abs(v), abs(g)) for v in said) for g in gold)
        kind = any(f.kind == label["kind"] for f in over)
        counts["all"] += 1
        counts["value"] += value
        counts["kind and value"] += value and kind
        if gold[0] < 0:
            counts["negative"] += 1
            counts["negative right"] += any(v < 0 for v in said)
        counts["sign"] += bool(said) and any((v < 0) == (gold[0] < 0) for v in said)
    total = max(1, counts["all"])
    return {
        "n_mentions": counts["all"],
        "value": counts["value"] / total,
        "kind_and_value": counts["kind and value"] / total,
        "sign": counts["sign"] / total,
        "sign_of_negatives": counts["negative right"] / max(1, counts["negative"]),
        "n_no_quantities": counts["none"],
        "left_alone": counts["none right"] / max(1, counts["none"]),
    }


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-4 * max(abs(a), abs(b))


def read_world(folder: Path) -> list[tuple[str, str, list[tuple[str, tuple[float, ...]]]]]:
    """Return language, text, and kinds and values of each sentence, without periods and years."""
    rows = []
    for path in sorted(folder.glob("world_mentions*.tsv")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(("#", "language\t")):
                continue
            language, text, labels = line.split("\t")
            wanted = []
            for label in filter(None, labels.split("; ")):
                kind, value = label.split(" ")[:2]
                if kind not in ("period", "year"):
                    wanted.append((kind, tuple(map(float, value.split("..")))))
            rows.append((language, text, wanted))
    return rows


def score_world(extract: Extractor, folder: Path, reads: tuple[str, ...]) -> dict[str, str]:
    """Return, by language and kind, counts of right values and of fully right sentences."""
    counts: Counter[tuple[str, str]] = Counter()
    for language, text, wanted in read_world(folder):
        name = language or "en"
        if language not in reads:
            continue
        found = [f for f in extract(text, language) if f.kind not in ("period", "year")]
        left = [value for f in found for value in f.values]
        all_right = True
        for kind, values in wanted:
            right = all(any(_same(value, other) for other in left) for value in values)
            all_right = all_right and right
            for group in (name, kind):
                counts[group, "right"] += right
                counts[group, "values"] += 1
            for value in values:
                left = _without(left, value)
        counts[name, "sentences"] += 1
        counts[name, "whole"] += all_right and not left
    table = {}
    for group in sorted({group for group, of in counts if of == "values"}):
        table[group] = f"{counts[group, 'right']}/{counts[group, 'values']}"
        if counts[group, "sentences"]:
            table[group] += f" {counts[group, 'whole']}/{counts[group, 'sentences']}"
    return table


def _without(values: list[float], value: float) -> list[float]:
    """Return the values without the first one equal to ``value``."""
    at = next((i for i, other in enumerate(values) if _same(value, other)), None)
    return values if at is None else values[:at] + values[at + 1 :]


def print_world(tables: dict[str, dict[str, str]]) -> None:
    """Print by language and kind the right values, then the sentences that are fully right."""
    groups = [*(code or "en" for code in WORLD), *_kinds(tables)]
    print(f"{'values, sentences':20}" + "".join(f"{name:>20}" for name in tables))
    for group in groups:
        print(f"{group:20}" + "".join(f"{t.get(group, '-'):>20}" for t in tables.values()))


def _kinds(tables: dict[str, dict[str, str]]) -> list[str]:
    found = {group for table in tables.values() for group in table}
    return sorted(found - {code or "en" for code in WORLD})


def megabytes_per_second(extract: Extractor, folder: Path, megabytes: float) -> float:
    """Return the speed on whole calls, in megabytes of text per second of processor time."""
    texts, size = [], 0
    for path in sorted(folder.glob("*.txt")):
        texts.append(path.read_text(encoding="utf-8"))
        size += path.stat().st_size
        if size > megabytes * 1e6:
            break
    start = time.process_time()
    for text in texts:
        extract(text)
    return size / 1e6 / (time.process_time() - start)


def notation_changes(folder: Path) -> dict[str, float]:
    """Count the files that standard notation rewrites, and those in which a quantity changes."""
    counts: Counter[str] = Counter()
    for path in sorted(folder.glob("*/*/*.txt")):
        text = path.read_text(encoding="utf-8")
        new = standardise_notation(text)
        counts["rewritten"] += new != text
        same = signature(extract_quantities(new)) == signature(extract_quantities(text))
        counts["changed"] += not same
        counts["files"] += 1
    return {
        "notation_files": counts["files"],
        "notation_rewritten": counts["rewritten"],
        "notation_changed": counts["changed"],
    }


def main() -> None:
    """Print a table, and the figures as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data")
    parser.add_argument("--calls", type=int, default=1000, help="tagged calls to read at most")
    parser.add_argument("--megabytes", type=float, default=20.0, help="text to time")
    parser.add_argument("--set", default="", help="only hard mentions of this set")
    parser.add_argument("--libraries", nargs="*", default=[], choices=["quantulum3", "recognizers"])
    parser.add_argument("--only-world", action="store_true", help="only the labelled sentences")
    parser.add_argument("--notation", action="store_true", help="check notation on all of ECTSum")
    args = parser.parse_args()
    extractors: dict[str, Extractor] = {"finllm": finllm_extractor}
    if "quantulum3" in args.libraries:
        extractors["quantulum3"] = quantulum_extractor()
    if "recognizers" in args.libraries:
        extractors["recognizers"] = recognizers_extractor()
    reads = {"quantulum3": ("",), "recognizers": ("", "fr", "es", "pt")}
    world = {
        name: score_world(extract, ROOT / "tests", reads.get(name, WORLD))
        for name, extract in extractors.items()
    }
    print_world(world)
    if args.only_world:
        print(json.dumps(world))
        return
    calls = sorted((args.data / "earnings21/nlp").glob("*.nlp"))[: args.calls]
    mentions = read_mentions(args.data, ROOT / "tests/hard_mentions.csv")
    mentions = [m for m in mentions if args.set in ("", m[3]["set"])]
    figures = {}
    for name, extract in extractors.items():
        own = name == "finllm"
        scores = score_tags(extract, calls, own) | score_mentions(extract, mentions)
        folder = args.data / "ectsum/train/ects"
        megabytes = args.megabytes if own else 0.02
        scores["mb_per_second"] = megabytes_per_second(extract, folder, megabytes)
        figures[name] = {key: round(value, 4) for key, value in scores.items()}
    measured = list(figures["finllm"])
    if args.notation:
        for key, value in notation_changes(args.data / "ectsum").items():
            print(f"{key:32}{value:14}")
            figures["finllm"][key] = value
    print(f"{'':32}" + "".join(f"{name:>14}" for name in figures))
    for key in measured:
        print(f"{key:32}" + "".join(f"{said[key]:14.4g}" for said in figures.values()))
    print(json.dumps(figures | {"world": world}))


if __name__ == "__main__":
    main()
