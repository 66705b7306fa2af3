"""``finllm rate``: the page on which people rate answers."""
