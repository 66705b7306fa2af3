"""``finllm plan``: estimate memory and time before a run."""
