"""``finllm study``: ablations with error bars, described by a YAML file."""
