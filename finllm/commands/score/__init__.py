"""``finllm score``: score answers from any source, compared with baselines."""
