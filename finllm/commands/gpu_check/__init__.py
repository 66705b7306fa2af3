"""``python -m finllm gpu-check``: results on a GPU against the CPU's in float32."""
