"""``finllm inspect``: print calls, training examples and preference pairs."""
