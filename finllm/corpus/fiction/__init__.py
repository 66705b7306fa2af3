"""The makings of fictional calls; see finllm.corpus.synthetic."""
