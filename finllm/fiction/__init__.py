"""The makings of fictional calls; see finllm.fiction.synthetic."""
