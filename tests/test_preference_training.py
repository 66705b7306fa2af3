"""Preference tuning: losses by hand and by TRL, log-probabilities, the fit, a kill in between."""

import functools
import json
import math
from types import SimpleNamespace

import pytest
import torch
from bounds import assert_within, gamma, n_roundings
from conftest import CHATML, byte_level_tokenizer, tiny_llama
from datasets import Dataset
from test_resume import SETTINGS, Kill, Killed
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

from finllm.answering.perplexity import reference_nats
from finllm.model import attention, loading
from finllm.model.adapter import save_adapter
from finllm.preference import losses
from finllm.preference import trainer as trainer_module
from finllm.preference.encoding import EncodedPair, collate, dataset, with_other_answers
from finllm.preference.losses import PreferenceLoss, check_method
from finllm.preference.run import alarms, check_adapter
from finllm.preference.trainer import (
    PreferenceFit,
    PreferenceTrainer,
    Standing,
    fit_pairs,
    new_trainer,
)
from finllm.training.arguments import training_arguments
from finllm.training.resume import Checkpointer

NATS = torch.tensor([[-10.0, -14.0]])
REFERENCE = torch.tensor([[-11.0, -12.0]])
N_TOKENS = torch.tensor([[5, 4]])


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize(
    ("method", "beta", "margin", "expected"),
    [
        # log-ratios 1 and -2: -log sigmoid(0.1 * 3)
        ("dpo", 0.1, 0.0, math.log(1 + math.exp(-0.3))),
        # a token 1/5 and -2/4: (0.7 - 1 / (2 * 0.1)) ** 2
        ("ipo", 0.1, 0.0, (0.7 - 5) ** 2),
        # log-probabilities a token -2 and -3.5: -log sigmoid(2 * 1.5 - 0.5)
        ("simpo", 2.0, 0.5, math.log(1 + math.exp(-2.5))),
    ],
)
def test_each_loss_is_what_its_paper_says(method, beta, margin, expected):
    loss = PreferenceLoss(method, beta=beta, margin=margin)
    assert loss.mean(NATS, REFERENCE, N_TOKENS).item() == pytest.approx(expected, rel=1e-6)
    swapped = loss.mean(NATS.flip(1), REFERENCE.flip(1), N_TOKENS.flip(1)).item()
    both = loss.mean(
        torch.cat([NATS, NATS.flip(1)]),
        torch.cat([REFERENCE, REFERENCE.flip(1)]),
        torch.cat([N_TOKENS, N_TOKENS.flip(1)]),
    )
    assert both.item() == pytest.approx((expected + swapped) / 2, rel=1e-6)


@pytest.mark.parametrize(("gains", "kl"), [((3.0, 1.0), 2.0), ((-3.0, -1.0), 0.0)])
def test_kto_holds_answers_against_the_mean_gain_of_answers_to_other_prompts(gains, kl):
    others = torch.tensor([[-7.0], [-8.0]])
    nats = torch.cat([NATS.expand(2, 2), others], dim=1)
    reference = torch.cat([REFERENCE.expand(2, 2), others - torch.tensor(gains)[:, None]], dim=1)
    counts = torch.tensor([[5, 4, 3], [5, 4, 2]])
    nats.requires_grad_()
    found = PreferenceLoss("kto", beta=0.5, margin=0.0).mean(nats, reference, counts)
    # log-ratios 1 and -2
    expected = (1 - sigmoid(0.5 * (1 - kl)) + 1 - sigmoid(0.5 * (kl + 2))) / 2
    assert found.item() == pytest.approx(expected, rel=1e-6)
    found.backward()
    assert nats.grad[:, 2].eq(0).all() and nats.grad[:, 0].lt(0).all()


def test_the_lead_is_counted_as_the_loss_counts_it():
    leads = {
        method: PreferenceLoss(method, beta=0.1, margin=0.0).leads(NATS, REFERENCE, N_TOKENS).item()
        for method in ("dpo", "ipo", "simpo", "kto")
    }
    assert leads == pytest.approx({"dpo": 3.0, "ipo": 0.7, "simpo": 1.5, "kto": 3.0})


def test_simpo_is_that_of_trls_experimental_trainer(monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    from trl.experimental.cpo import CPOTrainer

    settings = SimpleNamespace(
        loss_type="simpo",
        beta=2.0,
        simpo_gamma=0.5,
        label_smoothing=0.0,
        cpo_alpha=0.0,
        alpha=0.0,
        accelerator=SimpleNamespace(device="cpu"),
    )
    means = NATS / N_TOKENS
    found, *_ = CPOTrainer.cpo_loss(settings, means[:, 0], means[:, 1])
    own = PreferenceLoss("simpo", beta=2.0, margin=0.5).mean(NATS, REFERENCE, N_TOKENS)
    assert own.item() == pytest.approx(found.mean().item(), rel=1e-6)


def test_a_loss_that_trl_lacks_is_one_clear_message(monkeypatch):
    for method in losses.TRL_NAMES:
        check_method(method)
    for method in ("ipo", "kto"):
        monkeypatch.setitem(losses.TRL_NAMES, method, "of another version")
        with pytest.raises(
            ValueError, match=rf"prefer\.method is {method}, and TRL 1.* has no loss 'of another"
        ):
            check_method(method)


def rows(n, seed=0):
    """Pairs of random tokens: a prompt of four, and answers of other lengths behind it."""
    torch.manual_seed(seed)
    found = []
    for i in range(n):
        prompt, chosen, rejected = (torch.randint(3, 300, (k,)).tolist() for k in (4, 3 + i, 5))
        found.append(EncodedPair(prompt, (chosen, rejected)))
    return found


def tokenizer():
    return byte_level_tokenizer(
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], eos="<|im_end|>", template=CHATML
    )


def tuned(kernel=attention.NAME):
    """A tiny model with an adapter that is not zero."""
    model = loading.add_lora(
        tiny_llama(kernel),
        r=4,
        alpha=8,
        dropout=0.1,
        targets="all-linear",
        checkpoint_layers=0,
        seed=0,
    )
    moved(model, seed=1)
    return model


def moved(model, *, seed, by=0.05):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and ".default." in name:
            parameter.data += by * torch.randn(parameter.shape, generator=generator)


def settings(folder, **changes):
    fixed = {**SETTINGS, "weight_decay": 0.0, "evals_per_run": 2}
    return training_arguments(output_dir=str(folder / "scratch"), **{**fixed, **changes})


def trainer_of(folder, model):
    return new_trainer(model, tokenizer(), rows(3), rows(2, seed=1), settings(folder), [])


def test_log_probabilities_are_those_of_each_answer_alone_on_either_path(tmp_path):
    model, pairs = tuned(), rows(3)
    trainer = trainer_of(tmp_path, model)
    assert trainer.fused is not None
    fused = torch.tensor(trainer.all_nats(pairs))
    trainer.fused = None
    plain = torch.tensor(trainer.all_nats(pairs))
    base = model.get_base_model()
    apart = [one for pair in pairs for one in pair.apart]
    alone = -torch.tensor(list(reference_nats(base, apart))).view(-1, 2)
    ids = torch.tensor([apart[-1].input_ids])
    with torch.no_grad():
        size = base(ids).logits.abs().max()
    # a token's is the difference of two sums of logits
    counts = torch.tensor([[len(answer) for answer in pair.answers] for pair in pairs])
    allowed = 2 * 2 * gamma(n_roundings(model, ids.shape[1]), torch.float32) * size * counts
    assert_within(plain, alone, allowed)
    assert_within(fused, alone, allowed)


def test_without_a_mask_as_on_a_gpu_the_log_probabilities_are_the_same(tmp_path, monkeypatch):
    trainer = trainer_of(tmp_path, tuned("sdpa"))
    trainer.fused = None
    masked = torch.tensor(trainer.all_nats(rows(3)))
    assert trainer_module._mask(SimpleNamespace(device=torch.device("cuda"))) is None
    monkeypatch.setattr(trainer_module, "_mask", lambda real: None)
    assert torch.allclose(torch.tensor(trainer.all_nats(rows(3))), masked, rtol=1e-5)


def test_kto_keeps_no_graph_of_the_answers_to_other_prompts(tmp_path, monkeypatch):
    pairs = with_other_answers(rows(3))
    trainer = trainer_of(tmp_path, tuned())
    trainer.preference = PreferenceLoss("kto", beta=0.3, margin=0.0)
    batch = collate(dataset(pairs, trainer.all_nats(pairs)).to_list())
    read, hidden_states = {}, trainer.fused.hidden_states

    def watched(ids, *layout):
        read[torch.is_grad_enabled()] = len(ids)
        return hidden_states(ids, *layout)

    monkeypatch.setattr(trainer.fused, "hidden_states", watched)
    trainer.compute_loss(trainer.model, batch).backward()
    assert read == {
        True: sum(len(p.prompt) + len(p.answers[0]) + len(p.answers[1]) for p in pairs),
        False: sum(len(p.prompt) + len(p.answers[2]) for p in pairs),
    }


def test_a_tuned_adapter_that_no_gradient_reaches_is_an_error(tmp_path, monkeypatch):
    compute_loss = PreferenceTrainer.compute_loss
    monkeypatch.setattr(
        PreferenceTrainer, "compute_loss", lambda *given, **also: 0 * compute_loss(*given, **also)
    )
    with pytest.raises(ValueError, match="no gradient of the first step reaches the adapter"):
        fitted(tmp_path)


def of_own(pairs, method, folder):
    """Loss and gradients of a model that has moved from the reference."""
    model = tuned()
    trainer = trainer_of(folder, model)
    trainer.preference = PreferenceLoss(method, beta=0.3, margin=0.0)
    model.peft_config["default"].lora_dropout = 0.0
    batch = collate(dataset(pairs, trainer.all_nats(pairs)).to_list())
    moved(model, seed=2)
    model.train()
    loss = trainer.compute_loss(model, batch)
    loss.backward()
    return loss.item(), {n: p.grad for n, p in model.named_parameters() if p.requires_grad}


def of_trl(rows, kind, arguments, example, folder, monkeypatch):
    """The same of TRL's trainer, whose reference is the adapter as the trainer is given it."""
    monkeypatch.setattr(loading, "use_lean_lora", lambda model: 0)  # it knows one adapter alone
    model = tuned("eager")
    stock = kind(
        model=model,
        args=arguments(
            output_dir=str(folder / "stock"),
            beta=0.3,
            use_cpu=True,
            bf16=False,
            activation_checkpointing=False,
        ),
        train_dataset=Dataset.from_list([example, example]),
        processing_class=tokenizer(),
    )
    moved(model, seed=2)
    model.train()
    loss = stock.compute_loss(model, stock.data_collator(rows))
    loss.backward()
    return loss.item(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def assert_same(own, theirs):
    assert own[0] == pytest.approx(theirs[0], rel=1e-4)
    for key, found in own[1].items():
        expected = theirs[1][key]
        scale = expected.abs().max()
        assert torch.allclose(found, expected, rtol=1e-2, atol=1e-3 * scale), key


@pytest.mark.parametrize(("method", "name"), [("dpo", "sigmoid"), ("ipo", "ipo")])
def test_loss_and_gradient_are_those_of_trls_own_trainer(method, name, tmp_path, monkeypatch):
    pairs = rows(3)
    own = of_own(pairs, method, tmp_path)
    ids = [
        {"prompt_ids": p.prompt, "chosen_ids": p.answers[0], "rejected_ids": p.answers[1]}
        for p in pairs
    ]
    example = {"prompt": "a", "chosen": "b", "rejected": "c"}
    arguments = functools.partial(DPOConfig, loss_type=[name])
    assert_same(own, of_trl(ids, DPOTrainer, arguments, example, tmp_path, monkeypatch))


def test_ktos_loss_and_gradient_are_those_of_trls_own_trainer(tmp_path, monkeypatch):
    pairs = with_other_answers(rows(3))
    own = of_own(pairs, "kto", tmp_path)
    ids = [
        {
            "prompt_ids": pair.prompt,
            "completion_ids": pair.answers[i],
            "KL_completion_ids": pair.answers[2],
            "label": not i,
        }
        for i in range(2)
        for pair in pairs
    ]
    example = {"prompt": "a", "completion": "b", "label": True}
    assert_same(own, of_trl(ids, KTOTrainer, KTOConfig, example, tmp_path, monkeypatch))


def test_the_answers_to_other_prompts_are_chosen_and_rejected_ones_and_never_of_the_same_prompt():
    pairs = [row for row in rows(3) for _ in range(2)]
    found = with_other_answers(pairs)
    for i, row in enumerate(found):
        others = [pair.answers[i % 2] for pair in pairs if pair.prompt != row.prompt]
        assert row.answers[:2] == pairs[i].answers and row.answers[2] in others
    with pytest.raises(
        ValueError, match=r"prefer\.method is kto.* 2 preference pairs have the same prompt"
    ):
        with_other_answers(pairs[:2])


def fitted(folder, *, reference="tuned", method="dpo", kill=None, **changes):
    model = tuned()
    complete = with_other_answers if method == "kto" else list
    checkpointer = Checkpointer(folder / "run", every=2)
    done = fit_pairs(
        model,
        tokenizer(),
        PreferenceLoss(method, beta=0.5, margin=0.5),
        train=complete(rows(7)),
        val=complete(rows(7)[:3] + rows(2, seed=1)),
        reference=reference,
        arguments=settings(folder, **changes),
        patience=0,
        callbacks=[Kill(kill)] if kill else [],
        checkpointer=checkpointer,
    )
    save_adapter(model, folder / "adapter", base_name="tiny", revision="")
    return (folder / "adapter" / "adapter_model.safetensors").read_bytes(), done


def test_a_fit_makes_the_chosen_answers_lead_and_a_killed_one_ends_with_the_same_bytes(tmp_path):
    whole, done = fitted(tmp_path / "whole")
    assert done.before.loss == pytest.approx(math.log(2), rel=1e-4)  # the reference itself
    assert done.before.drift_nats == pytest.approx(0, abs=1e-4)
    assert done.before.lead_nats == pytest.approx(0, abs=1e-3)
    assert done.after.loss < done.before.loss and done.after.accuracy > 0.5
    assert done.after.lead_nats > 0 and done.after.drift_nats > 0
    assert len(done.log) == done.n_steps == 12
    assert {"loss", "accuracy", "lead_nats", "chosen_nats", "drift_nats"} <= done.log[0].keys()
    with pytest.raises(Killed):
        fitted(tmp_path / "killed", kill=7)
    again, resumed = fitted(tmp_path / "killed")
    assert resumed.n_resumes == 1
    assert again == whole
    assert (resumed.before, resumed.after) == (done.before, done.after)


def test_kto_makes_the_chosen_answers_lead(tmp_path):
    _, done = fitted(tmp_path, method="kto")
    assert done.before.loss == pytest.approx(0.5, rel=1e-4)
    assert done.after.loss < done.before.loss and done.after.lead_nats > 0


def test_accumulated_pairs_count_as_those_of_one_batch(tmp_path):
    _, once = fitted(tmp_path / "once", batch_size=8, max_steps=1)
    _, parts = fitted(tmp_path / "parts", batch_size=4, accumulation=2, max_steps=1)
    assert parts.n_steps == once.n_steps == 1
    assert parts.log[0]["grad_norm"] == pytest.approx(once.log[0]["grad_norm"], rel=1e-3)


@pytest.mark.parametrize(
    ("reference", "method"), [("base", "ipo"), ("none", "dpo"), ("base", "kto")]
)
def test_other_references_put_the_start_off_even(reference, method, tmp_path):
    _, done = fitted(tmp_path, reference=reference, method=method, max_steps=1)
    even = {"dpo": math.log(2), "ipo": 1.0, "kto": 0.5}[method]
    assert abs(done.before.loss - even) > 1e-3
    assert done.before.drift_nats == pytest.approx(0, abs=1e-4)


def test_an_adapter_of_another_base_is_refused_with_both_names(tmp_path):
    with pytest.raises(ValueError, match="does not contain an adapter"):
        check_adapter(tmp_path, name="ours", revision="")
    config = {"base_model_name_or_path": "theirs", "revision": "abc"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="base model theirs at abc, but model.name is ours"):
        check_adapter(tmp_path, name="ours", revision="")
    check_adapter(tmp_path, name="theirs", revision="abc")


def test_alarms_name_a_chosen_answer_that_fell_a_model_that_drifted_and_a_fit_in_vain():
    def ended(chosen, drift, best_step=1):
        at = Standing(0.5, 1.0, 2.0, chosen, drift)
        return PreferenceFit(1, at, at, best_step, False, 1.0, 0, [])

    assert alarms(ended(0.1, 0.2)) == []
    assert [kind for kind, _ in alarms(ended(-0.1, 0.7))] == ["chosen_fell", "drift"]
    ((kind, said),) = alarms(ended(-1e-7, 1e-7, best_step=0))  # rounding is no fall
    assert kind == "no_improvement" and "the preferred model is the tuned model" in said
