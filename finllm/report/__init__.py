"""Presentation of the results as text, tables and figures."""
