"""Turn raw text into transcripts: sources, layouts, speakers, cleaning, quality and duplicates."""
