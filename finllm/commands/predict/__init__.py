"""``finllm predict``: answer every transcript in a folder."""
