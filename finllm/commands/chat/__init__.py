"""Answers of base and tuned model about one call, side by side (``finllm chat``)."""
