"""Hyperparameter search on the validation loss; nothing here reads the test set."""
