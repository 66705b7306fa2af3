"""The results as text, tables and figures."""
