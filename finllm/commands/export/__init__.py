"""``finllm export``: write the tuned model in a format that other programs load."""
