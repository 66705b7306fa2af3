"""Write fictional earnings calls: companies, accounts, speech and summaries (``synthetic``)."""
