"""Fine-tune a language model on earnings calls and test whether fine-tuning helped."""

__version__ = "0.1.0"
