"""Questions to all features at once: of a text, of sets of texts, of languages, of concepts."""
