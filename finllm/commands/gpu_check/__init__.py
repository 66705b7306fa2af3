"""``finllm gpu-check``: compare results on a GPU with those of the CPU in float32."""
