import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from finllm.instruct import templates

NAMES = list(templates.TEMPLATES)[:4]  # those that the method has weights for
METHOD = dict(zip(NAMES, (0.4, 0.3, 0.2, 0.1), strict=True))
shares = st.lists(st.integers(0, 20), min_size=4, max_size=4).filter(any)


def weights_of(parts):
    return {name: part / sum(parts) for name, part in zip(NAMES, parts, strict=True)}


def test_quotas_are_exactly_the_weights_where_they_divide():
    assert templates.quotas(dict.fromkeys(NAMES, 1000), METHOD, 10) == dict(
        zip(NAMES, (4, 3, 2, 1), strict=True)
    )


def test_the_scarcest_template_sets_the_total():
    available = {**dict.fromkeys(NAMES, 1000), templates.QUESTIONS: 7}
    assert sum(templates.quotas(available, METHOD, 0).values()) == 70


def test_what_is_left_over_goes_to_the_largest_remainder():
    # 7 * (0.4, 0.3, 0.2, 0.1) = 2.8, 2.1, 1.4, 0.7
    assert templates.apportion(7, METHOD) == dict(zip(NAMES, (3, 2, 1, 1), strict=True))


@given(st.integers(0, 5000), shares)
def test_parts_add_up_and_none_is_a_whole_one_off_its_share(total, parts):
    weights = weights_of(parts)
    found = templates.apportion(total, weights)
    assert sum(found.values()) == total
    assert all(abs(found[name] - total * weights[name]) < 1 for name in NAMES)


@given(st.lists(st.integers(1, 500), min_size=4, max_size=4), shares, st.integers(0, 600))
def test_quotas_stay_within_what_there_is_and_within_one_of_their_shares(counts, parts, limit):
    available, weights = dict(zip(NAMES, counts, strict=True)), weights_of(parts)
    found = templates.quotas(available, weights, limit)
    total = sum(found.values())
    assert total >= 1 and (not limit or total <= limit)
    for name, count in found.items():
        assert count <= available[name]
        assert abs(count / total - weights[name]) < 1 / total


@given(st.lists(st.integers(1, 200), min_size=4, max_size=4), shares)
def test_one_more_example_could_not_be_served(counts, parts):
    assume(all(parts))
    available, weights = dict(zip(NAMES, counts, strict=True)), weights_of(parts)
    total = sum(templates.quotas(available, weights, 0).values())
    bound = min(available[name] / weights[name] for name in NAMES)
    assert bound - len(NAMES) / min(weights.values()) <= total <= bound + 1e-6


def test_a_weight_without_an_example_names_the_key_to_change():
    available = {**dict.fromkeys(NAMES, 9), templates.SUMMARIZATION: 0}
    with pytest.raises(ValueError, match="templatize.weights.summarization is 0.2"):
        templates.quotas(available, METHOD, 0)


def test_a_template_of_weight_zero_needs_no_example():
    weights = {**METHOD, templates.QUESTIONS: 0.0, templates.SUMMARIZATION: 0.3}
    available = {**dict.fromkeys(NAMES, 100), templates.QUESTIONS: 0}
    assert templates.QUESTIONS not in templates.quotas(available, weights, 0)


@pytest.mark.parametrize("name", templates.TEMPLATES)
def test_the_held_out_wording_is_none_of_those_in_use(name):
    assert templates.held_out_wording(name) not in templates.wordings(name)
    assert len(templates.wordings(name)) >= 3


def test_no_wording_serves_two_templates():
    every = [wording for rows in templates.INSTRUCTIONS.values() for wording in rows]
    assert len(every) == len(set(every))
