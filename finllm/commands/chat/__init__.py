"""``finllm chat``: answers of base and tuned model about one call, side by side."""
