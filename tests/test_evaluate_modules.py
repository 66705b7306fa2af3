import warnings
from pathlib import Path

import pytest

from finllm.languages.lexicon import load_lexicon
from finllm.scoring.coherence import coherence
from finllm.scoring.domain import number_accuracy, term_precision, term_recall

MODULES = Path(__file__).parent.parent / "finllm" / "scoring" / "evaluate_modules"
CALL = "Revenue rose 12% to $452.2 million."
REFERENCES = ["Revenue rose 12%.", "Revenue was $452.2 million."]
PREDICTIONS = ["Revenue fell 12%.", "Sales of $0.4522 billion."]


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """evaluate.load on a folder of this repository; what it copies goes to a temporary folder."""
    cache = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import evaluate

        patch.setattr(evaluate.config, "HF_EVALUATE_OFFLINE", True)
        patch.setattr(evaluate.loading, "HF_MODULES_CACHE", str(cache / "modules"), raising=False)
        patch.setattr(evaluate.config, "HF_MODULES_CACHE", str(cache / "modules"))
        yield lambda name: evaluate.load(str(MODULES / name), cache_dir=str(cache))


def test_number_accuracy_loads_from_its_folder_and_says_the_same(load):
    found = load("number_accuracy").compute(
        predictions=PREDICTIONS, references=REFERENCES, sources=[CALL] * 2
    )
    wanted = [number_accuracy(p, r, CALL) for p, r in zip(PREDICTIONS, REFERENCES, strict=True)]
    assert found["scores"] == wanted == [0, 1]
    assert found["number_accuracy"] == 0.5
    assert found["errors"]["wrong_sign"] == 1


def test_coherence_loads_from_its_folder_and_says_the_same(load):
    found = load("coherence").compute(
        predictions=PREDICTIONS, references=REFERENCES, sources=[CALL] * 2
    )
    wanted = [coherence(p, r, CALL) for p, r in zip(PREDICTIONS, REFERENCES, strict=True)]
    assert found["scores"] == [each.score for each in wanted]
    assert (found["supported"], found["contradicted"], found["unverifiable"]) == (0.5, 0.5, 0)


def test_term_recall_loads_from_its_folder_and_says_the_same(load):
    found = load("term_recall").compute(predictions=PREDICTIONS, references=REFERENCES)
    lexicon = load_lexicon("")
    pairs = list(zip(PREDICTIONS, REFERENCES, strict=True))
    assert found["scores"] == [term_recall(*pair, lexicon) for pair in pairs]
    assert found["term_precision"] == sum(term_precision(*pair, lexicon) for pair in pairs) / 2
