"""What is minimised: the losses of TRL's DPOTrainer, on log-probabilities that are computed here.

With d the log-ratios of policy and reference of the chosen answer minus those of the rejected one:

- ``dpo``: -log sigmoid(beta d) (Rafailov et al. 2023, arXiv 2305.18290, equation 7);
- ``ipo``: (d' - 1 / (2 beta)) ** 2 (Azar et al. 2023, arXiv 2310.12036, equation 17), where d' is d
  with each log-ratio divided by the tokens of its answer, as the authors told TRL's;
- ``simpo``: -log sigmoid(beta d' - margin), with log-probabilities in the place of log-ratios (Meng
  et al. 2024, arXiv 2405.14734, equation 6): it has no reference.
"""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace

import torch
import trl
from trl import DPOTrainer

DPO, IPO, SIMPO = "dpo", "ipo", "simpo"
TRL_NAMES = {DPO: "sigmoid", IPO: "ipo", SIMPO: "sigmoid_norm"}


class PreferenceLoss(DPOTrainer):
    """TRL's loss without TRL's trainer: only what ``DPOTrainer._compute_loss`` reads is set.

    TRL has SimPO only in an experimental trainer. It is DPO's loss per token with a reference
    that gives each token of the chosen answer margin / beta nats, and the rejected answer none.

    Parameters
    ----------
    method
        ``dpo``, ``ipo`` or ``simpo``.
    beta
        How closely the policy is held to the reference; of ``simpo`` the scale of the scores.
    margin
        Of ``simpo``: by how much the chosen answer is to lead, times beta.
    """

    def __init__(self, method: str, *, beta: float, margin: float) -> None:
        self.method, self.beta, self.margin = method, beta, margin
        self.loss_types, self.loss_weights = [TRL_NAMES[method]], [1.0]
        self.f_divergence_type, self.label_smoothing, self.ld_alpha = "reverse_kl", 0.0, None
        self.precompute_ref_logps, self.use_weighting, self.aux_loss_enabled = True, False, False
        self.model = SimpleNamespace(training=True)
        self._total_train_tokens, self._tp_size = 0, 1

    def mean(
        self, nats: torch.Tensor, reference: torch.Tensor, n_tokens: torch.Tensor
    ) -> torch.Tensor:
        """The mean loss of some pairs.

        Parameters
        ----------
        nats, reference
            Log-probabilities of the chosen and the rejected answers, shape (pairs, 2), under the
            policy and the reference; ``simpo`` reads no reference.
        n_tokens
            The tokens of the answers, shape (pairs, 2).
        """
        if self.method == SIMPO:
            leads = n_tokens[:, 0] * (self.margin / self.beta)
            reference = torch.stack([leads, torch.zeros_like(leads)], dim=1)
        counts = n_tokens.T.reshape(-1)  # all chosen, then all rejected
        places = torch.arange(int(counts.max()) + 1, device=nats.device)
        labelled = ((places > 0) & (places <= counts[:, None])).long()
        log_probs = torch.nn.functional.pad(nats.T.reshape(-1, 1), (0, len(places) - 2))
        unknown = torch.zeros_like(log_probs, dtype=torch.bool)  # TRL's metrics, not read
        outputs = SimpleNamespace(
            log_probs=log_probs, entropy=unknown, mean_logits=unknown, is_top1=unknown
        )
        inputs = {
            "input_ids": torch.zeros_like(labelled),
            "attention_mask": torch.ones_like(labelled),
            "completion_mask": labelled,
            "ref_chosen_logps": reference[:, 0],
            "ref_rejected_logps": reference[:, 1],
        }
        self.accelerator = _OneProcess(nats.device)
        self._metrics = {"train": defaultdict(list)}
        return self._compute_loss(lambda **_: outputs, inputs, return_outputs=False)

    def leads(
        self, nats: torch.Tensor, reference: torch.Tensor, n_tokens: torch.Tensor
    ) -> torch.Tensor:
        """By how many nats the chosen answer leads, pair by pair: d, d' or its like, see above."""
        ratios = nats - (torch.zeros_like(nats) if self.method == SIMPO else reference)
        scores = ratios if self.method == DPO else ratios / n_tokens
        return scores[:, 0] - scores[:, 1]


class _OneProcess:
    """What TRL's loss asks of an accelerator, where one process trains."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def gather(self, values: torch.Tensor) -> torch.Tensor:
        return values

    gather_for_metrics = gather


def check_method(method: str) -> None:
    """Raise where the installed TRL has no such loss, before anything is loaded.

    Raises
    ------
    ValueError
        Names the method, the version of TRL, and what TRL said.
    """
    two = torch.full((1, 2), 2.0)
    try:
        PreferenceLoss(method, beta=0.1, margin=0.0).mean(-two, -two, two.long())
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f"prefer.method is {method}, and TRL {trl.__version__} has no loss "
            f"{TRL_NAMES[method]!r} that can be used here ({str(error).splitlines()[0]}); install "
            "the version of requirements.txt"
        ) from None
