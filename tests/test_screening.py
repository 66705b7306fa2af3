"""What the stages hand to their workers gives the same in one process and in two."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from conftest import make_call
from test_quality import measured

from finllm.corpus import screening
from finllm.corpus.cleaning import cleaner
from finllm.corpus.survey import Survey
from finllm.instruct import drafting
from finllm.numbers.support import trim_summary
from finllm.records import Line, Turn, to_json
from finllm.runtime.parallel import map_batches

ROOT = Path(__file__).parents[1]


@pytest.fixture
def calls():
    return [
        make_call(
            f"call{n}",
            turns=(
                Turn(
                    "Ann",
                    "executive",
                    "prepared",
                    f"In Q3 2021 revenue rose {n}% to $1.{n} billion.\nWe expect growth of 3%.",
                ),
            ),
            summary=f"Revenue up {n}%.\nLoss of $7 million.",
        )
        for n in range(20)
    ]


@pytest.fixture
def lines(calls, tmp_path):
    return [Line(tmp_path, i, to_json(call) + "\n") for i, call in enumerate(calls, 1)]


def in_one_and_in_two(prepare, records):
    return [list(map_batches(prepare, records, n_workers=n, batch_size=1)) for n in (1, 2)]


def test_two_processes_measure_and_sign_as_one_does(calls, lines):
    look = partial(screening.looker, lexicon="", n_permutations=16, threshold=0.8, seed=7)
    one, two = ([x for batch in found for x in batch] for found in in_one_and_in_two(look, lines))
    assert [x.measures for x in one] == [x.measures for x in two]
    assert [x.measures for x in one] == [measured(call) for call in calls]
    assert np.array_equal([x.signature for x in one], [x.signature for x in two])


def test_two_processes_trim_and_survey_as_one_does(calls, lines):
    one, two = in_one_and_in_two(partial(screening.stock_taker, min_support=1.0), lines)
    assert [s.lines for s in one] == [s.lines for s in two]
    assert [s.lines for s in one] == [
        [to_json(trim_summary(call, min_support=1.0)[0])] for call in calls
    ]
    assert [s.trimmed for s in one] == [s.trimmed for s in two] != [[]] * len(calls)
    surveys = [Survey(), Survey()]
    for survey, found in zip(surveys, (one, two), strict=True):
        for stock in found:
            survey.merge(stock.survey)
    assert surveys[0].metrics({"revenue": 1}) == surveys[1].metrics({"revenue": 1})


def test_two_processes_clean_as_one_does(calls):
    prepare = partial(
        cleaner, repair_mojibake=True, infer_turns=True, removable=(), standardise_notation=True,
        company_for_missing="id",
    )  # fmt: skip
    one, two = in_one_and_in_two(prepare, calls)
    assert one == two and len(one) == len(calls)


def test_two_processes_draft_as_one_does(chatml, tmp_path, lines):
    chatml.save_pretrained(tmp_path / "tokenizer")
    budget = partial(
        drafting.token_budget, str(tmp_path / "tokenizer"), revision="", system_prompt="",
        max_tokens=600, max_answer_tokens=150, sentences="rule",
    )  # fmt: skip
    draft = partial(drafting.drafter, budget=budget, lexicon="", paraphrases=True, seed=7)
    one, two = in_one_and_in_two(draft, lines)
    assert one == two and any(drafts.lines for drafts in one)


def test_the_four_stages_and_a_plain_tokenizer_import_no_torch(chatml, tmp_path):
    chatml.save_pretrained(tmp_path)
    code = (
        "import sys, stages.clean, stages.filter, stages.templatize, stages.split\n"
        "from finllm.instruct.drafting import token_budget\n"
        f"budget = token_budget({str(tmp_path)!r}, revision='', system_prompt='s',"
        " max_tokens=9, max_answer_tokens=3, sentences='rule')\n"
        "assert budget.count_prompt('i', 'e') > 3\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
