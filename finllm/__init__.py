"""From earnings calls to a tuned language model, and to a verdict on whether tuning helped."""

__version__ = "0.1.0"
