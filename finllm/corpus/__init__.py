"""Raw text to transcripts: sources, layouts, speakers, cleaning, quality and duplicates."""
