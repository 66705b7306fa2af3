"""Preference losses of TRL's trainers, applied to log-probabilities that are computed here.

With d the log-ratio of policy and reference of the chosen answer minus that of the rejected one:

- ``dpo``: -log sigmoid(beta d) (Rafailov et al. 2023, arXiv 2305.18290, equation 7);
- ``ipo``: (d' - 1 / (2 beta)) ** 2 (Azar et al. 2023, arXiv 2310.12036, equation 17), where d' is d
  with each log-ratio divided by the number of tokens of its answer, as the authors advised TRL's;
- ``simpo``: -log sigmoid(beta d' - margin), with log-probabilities in place of log-ratios (Meng et
  al. 2024, arXiv 2405.14734, equation 6), so that there is no reference;
- ``kto``: 1 - sigmoid(beta (r - kl)) for a chosen answer with log-ratio r, and for a rejected one
  1 - sigmoid(beta (kl - r)) (Ethayarajh et al. 2024, arXiv 2402.01306, equation 8), where kl is the
  batch mean of the log-ratio of answers to other prompts, or 0 if that mean is negative.
"""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace

import torch
import trl
from trl import DPOTrainer, KTOTrainer

DPO, IPO, SIMPO, KTO = "dpo", "ipo", "simpo", "kto"
TRL_NAMES = {DPO: "sigmoid", IPO: "ipo", SIMPO: "sigmoid_norm", KTO: "kto"}


def n_answers(method: str) -> int:
    """Return the number of answers per prompt: two, and for ``kto`` also one to another prompt."""
    return 3 if method == KTO else 2


class PreferenceLoss:
    """A loss of TRL without its trainer: only the attributes that ``_compute_loss`` reads are set.

    TRL has SimPO only in an experimental trainer. Here it is DPO's loss per token, with a reference
    that gives each token of the chosen answer margin / beta nats, and each token of the rejected
    answer 0.

    Parameters
    ----------
    method
        ``dpo``, ``ipo``, ``simpo`` or ``kto``.
    beta
        How strongly the policy is tied to the reference; for ``simpo``, the scale of the scores.
    margin
        For ``simpo``: the lead that the chosen answer should have, times beta.
    """

    def __init__(self, method: str, *, beta: float, margin: float) -> None:
        self.method, self.beta, self.margin = method, beta, margin
        self._trl = (_Kto if method == KTO else _Dpo)(TRL_NAMES[method], beta)

    def mean(
        self, nats: torch.Tensor, reference: torch.Tensor, n_tokens: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean loss of a batch of pairs; ``kto`` estimates its kl on the same batch.

        Parameters
        ----------
        nats, reference
            Log-probabilities of the chosen and the rejected answers, shape (pairs, 2), under the
            policy and the reference; ``simpo`` ignores the reference. For ``kto`` there is a third
            column, for answers to other prompts.
        n_tokens
            Number of tokens of each answer, of the same shape.
        """
        if self.method == SIMPO:
            leads = n_tokens[:, 0] * (self.margin / self.beta)
            reference = torch.stack([leads, torch.zeros_like(leads)], dim=1)
        self._trl.accelerator = _OneProcess(nats.device)
        self._trl._metrics = {"train": defaultdict(list)}
        outputs, inputs = _laid_out(nats[:, :2], n_tokens[:, :2])
        inputs |= self._trl.of_reference(nats, reference)
        return self._trl._compute_loss(lambda **_: outputs, inputs, return_outputs=False)

    def leads(
        self, nats: torch.Tensor, reference: torch.Tensor, n_tokens: torch.Tensor
    ) -> torch.Tensor:
        """Return the chosen answer's lead per pair, in nats: d, or d' for ``ipo`` and ``simpo``."""
        ratios = nats - (torch.zeros_like(nats) if self.method == SIMPO else reference)
        scores = ratios if self.method in (DPO, KTO) else ratios / n_tokens
        return scores[:, 0] - scores[:, 1]


class _Dpo(DPOTrainer):
    def __init__(self, loss_type: str, beta: float) -> None:
        self.loss_types, self.loss_weights, self.beta = [loss_type], [1.0], beta
        self.f_divergence_type, self.label_smoothing, self.ld_alpha = "reverse_kl", 0.0, None
        self.precompute_ref_logps, self.use_weighting, self.aux_loss_enabled = True, False, False
        self.model = SimpleNamespace(training=True)
        self._total_train_tokens, self._tp_size = 0, 1

    def of_reference(self, nats: torch.Tensor, reference: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the reference's log-probabilities under TRL's names."""
        return {"ref_chosen_logps": reference[:, 0], "ref_rejected_logps": reference[:, 1]}


class _Kto(KTOTrainer):
    def __init__(self, loss_type: str, beta: float) -> None:
        self.loss_type, self.beta, self.calculate_KL = loss_type, beta, True
        self.desirable_weight = self.undesirable_weight = 1.0  # a pair has one of each
        self.precompute_ref_logps, self.aux_loss_enabled = True, False
        self.model = SimpleNamespace(training=True)
        self._total_train_tokens, self._tp_size = 0, 1

    def of_reference(self, nats: torch.Tensor, reference: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the reference's log-probabilities, the labels, and both models' values for kl."""
        return {
            "ref_logps": reference[:, :2].T.reshape(-1),
            "label": torch.arange(2, device=nats.device).repeat_interleave(len(nats)) == 0,
            "KL_logps": nats[:, 2].detach(),
            "ref_KL_logps": reference[:, 2],
        }

    def _compute_kl_logps(
        self, model: object, batch: dict[str, torch.Tensor]
    ) -> torch.Tensor:  # TRL would run the model here
        return batch["KL_logps"]


def _laid_out(
    nats: torch.Tensor, n_tokens: torch.Tensor
) -> tuple[SimpleNamespace, dict[str, torch.Tensor]]:
    """Return log-probabilities (pairs, 2) in the layout that TRL expects, chosen ones first."""
    counts = n_tokens.T.reshape(-1)
    places = torch.arange(int(counts.max()) + 1, device=nats.device)
    labelled = ((places > 0) & (places <= counts[:, None])).long()
    log_probs = torch.nn.functional.pad(nats.T.reshape(-1, 1), (0, len(places) - 2))
    unknown = torch.zeros_like(log_probs, dtype=torch.bool)  # for TRL's metrics, which are not read
    outputs = SimpleNamespace(
        log_probs=log_probs, entropy=unknown, mean_logits=unknown, is_top1=unknown
    )
    return outputs, {
        "input_ids": torch.zeros_like(labelled),
        "attention_mask": torch.ones_like(labelled),
        "completion_mask": labelled,
    }


class _OneProcess:
    """The part of an accelerator that TRL's loss uses, for a single process."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def gather(self, values: torch.Tensor) -> torch.Tensor:
        return values

    gather_for_metrics = gather


def check_method(method: str) -> None:
    """Raise if the installed TRL does not have the loss; called before anything is loaded.

    Raises
    ------
    ValueError
        With the method, the version of TRL, and TRL's error.
    """
    three = torch.full((1, n_answers(method)), 2.0)
    try:
        found = PreferenceLoss(method, beta=0.1, margin=0.0).mean(-three, -three, three.long())
        if not torch.isfinite(found):
            raise ValueError(f"the loss is {found.item()}")
    except (ValueError, AttributeError, KeyError, TypeError, NameError) as error:
        raise ValueError(
            f"prefer.method is {method}, and TRL {trl.__version__} has no loss "
            f"{TRL_NAMES[method]!r} that works here ({str(error).splitlines()[0]}); install "
            "the version of requirements.txt"
        ) from None
