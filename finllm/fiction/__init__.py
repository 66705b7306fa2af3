"""Fictional calls: companies, accounts and what is said about them (``synthetic``)."""
