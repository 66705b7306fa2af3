"""The disturbed questions: which are drawn, what changes in them, and what the stage writes."""

import dataclasses
import shutil
import sys
from pathlib import Path

import pytest
from conftest import make_example
from ruamel.yaml import YAML

from finllm.instruct.disturbance import draw, noisy, reworded
from finllm.records import read_examples, write_jsonl
from stages import disturb

ROOT = Path(__file__).parents[1]
TEXT = "Total revenue increased substantially, reaching $4.2 billion; margins fell 50 basis points."
TEST = [
    make_example(f"{company}{i}", company=company, excerpt=TEXT)
    for company, n in (("A", 6), ("B", 2), ("C", 1))
    for i in range(n)
]


def test_the_companies_take_turns():
    ids = {row.id for row in TEST}
    drawn = draw(TEST, ids, 5, seed=3)
    counts = [sum(row.company == company for row in drawn) for company in "ABC"]
    assert counts == [2, 2, 1]
    assert [row.id for row in drawn] == [row.id for row in TEST if row in drawn]
    assert draw(TEST[::-1], ids, 5, seed=3) == drawn[::-1], "the order of the file is no matter"
    assert draw(TEST, ids, 99, seed=3) == TEST
    assert draw(TEST, {"A0", "A1"}, 9, seed=3) == TEST[:2]
    assert draw(TEST, ids, 0, seed=3) == []


def test_another_seed_draws_others():
    ids = {row.id for row in TEST}
    assert len({tuple(r.id for r in draw(TEST, ids, 2, seed=seed)) for seed in range(9)}) > 1


def test_noise_is_in_the_excerpt_alone_and_leaves_its_figures():
    rows = noisy(TEST, typo_share=0.5, seed=1)
    for row, plain in zip(rows, TEST, strict=True):
        assert dataclasses.replace(row, excerpt=TEXT, n_prompt_tokens=10) == plain
        assert "$4.2 billion" in row.excerpt and "50 basis points" in row.excerpt
        assert "," not in row.excerpt and row.excerpt == row.excerpt.lower()
    assert len({row.excerpt for row in rows}) > 1, "each example has its own slips"
    assert noisy(TEST[3:4], typo_share=0.5, seed=1) == rows[3:4]
    assert noisy(TEST, typo_share=0.5, seed=2) != rows
    clean = noisy(TEST[:1], typo_share=0.0, seed=1)[0].excerpt
    assert clean.startswith("total revenue increased substantially reaching $4.2 billion margins")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The stage's main with a few parameters, on ``TEST``; what it wrote, by set."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    arguments = ["--test", "test.jsonl", "--reworded", "reworded.jsonl", "--folder", "out"]
    monkeypatch.setattr(sys, "argv", ["disturb", *arguments])

    def go(again, **knobs):
        write_jsonl(tmp_path / "test.jsonl", TEST)
        write_jsonl(tmp_path / "reworded.jsonl", again)
        yaml = YAML()
        params = yaml.load(tmp_path / "params.yaml")
        params["predict"].update(knobs)
        yaml.dump(params, tmp_path / "params.yaml")
        disturb.main()
        return [read_examples(Path("out") / f"{name}.jsonl") for name in ("reworded", "noise")]

    return go


def test_the_same_examples_are_reworded_and_noisy(run):
    again, noise = run(reworded(TEST), robustness_examples=4)
    assert [row.id for row in again] == [row.id for row in noise]
    assert len(noise) == 4
    assert all(row.excerpt == TEXT for row in again) and all(r.excerpt != TEXT for r in noise)


def test_without_a_reworded_test_there_is_noise_and_zero_is_none(run):
    again, noise = run([], robustness_examples=3)
    assert again == [] and len(noise) == 3
    assert run(reworded(TEST), robustness_examples=0) == [[], []]
