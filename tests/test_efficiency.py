"""Latency and phases from seconds that are given, and the hooks that measure them."""

import pytest
import torch
from conftest import tiny_llama

from finllm.answering import efficiency
from finllm.answering.efficiency import Stopwatch, latency, phases, spread, time_alone
from finllm.answering.generate import answers
from finllm.model import attention


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(efficiency, "time", Clock())
    return efficiency.time


def test_an_answer_takes_from_the_start_of_its_reading_to_its_end(clock):
    watch = Stopwatch()
    watch.read([0, 2], 1.5, 1)  # began at 98.5
    clock.now = 103.0
    watch.read([1], 1.0, 2)  # one of two at work; began at 102.0
    watch.ended(2)
    clock.now = 104.0
    watch.ended(0)
    watch.ended(1)
    watch.ended(7)  # on disk from an earlier run
    assert watch.seconds == {2: 4.5, 0: 5.5, 1: 2.0}
    assert (watch.n_read, watch.reading_seconds) == (3, 2.0)


def test_the_percentiles_are_linear_between_the_waiting_times():
    found = latency([5.0, 1.0, 2.0, 4.0, 3.0])
    assert found == {"median_seconds": 3.0, "p95_seconds": pytest.approx(4.8), "n": 5}
    assert latency([]) == {}


def test_generation_is_what_is_not_reading():
    watch = Stopwatch()
    watch.read([0, 1], 2.0, 1)
    found = phases(watch, seconds=12.0, prompt_tokens=[300, 100], new_tokens=[20, 30])
    assert found["reading"] == {"seconds": 2.0, "tokens_per_second": 200.0}
    assert found["generation"] == {"seconds": 10.0, "tokens_per_second": 5.0}


def test_there_are_no_phases_of_a_run_whose_beginning_is_not_known():
    watch = Stopwatch()
    watch.read([1], 2.0, 1)
    assert phases(watch, seconds=3.0, prompt_tokens=[3, 3], new_tokens=[1, 1]) == {}


@pytest.mark.parametrize(
    ("n", "chosen"), [(0, []), (1, [30]), (2, [20, 40]), (5, [10, 20, 30, 40, 50]), (9, None)]
)
def test_the_prompts_asked_alone_are_spread_over_the_lengths(n, chosen):
    lengths = [40, 10, 30, 50, 20]
    assert [lengths[i] for i in spread(lengths, n)] == (chosen or sorted(lengths) if n else [])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("done", [(), (0, 3)])
def test_every_prompt_that_is_answered_is_read_once_and_counted_by_its_own_number(dtype, done):
    model = tiny_llama(attention.NAME).to(dtype)
    prompts = [[5] * n for n in (3, 9, 1, 6, 4)]
    calls = []
    settings = {"max_new_tokens": 4, "stop_ids": [], "pad_id": 0, "batch_size": 2, "done": done}
    rows = list(answers(model, prompts, on_read=lambda *call: calls.append(call), **settings))
    read = [i for indexes, _, _ in calls for i in indexes]
    assert len(read) == len(set(read)) and {row.index for row in rows} <= set(read)
    assert all(seconds > 0 and n_workers >= 1 for _, seconds, n_workers in calls)
    plain = {row.index: row for row in answers(model, prompts, **settings)}
    assert {row.index: row for row in rows} == plain, "being watched changes nothing"


def test_single_requests_say_how_long_the_first_token_took():
    model = tiny_llama(attention.NAME)
    found = time_alone(model, [[5, 6], [7]], max_new_tokens=6, stop_ids=[], pad_id=0)
    assert found["n"] == 2 and found["new_tokens_per_second"] > 0
    assert 0 < found["median_seconds_to_first_token"] < found["median_seconds"]
    assert time_alone(model, [], max_new_tokens=6, stop_ids=[], pad_id=0) == {}
