"""DVC experiments in copies of the project: searches, cross-validation, studies."""
