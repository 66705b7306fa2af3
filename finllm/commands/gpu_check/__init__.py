"""``python -m finllm gpu-check``: what CUDA reaches, against the CPU's float32 result."""
