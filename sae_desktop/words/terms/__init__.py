"""The entries of the glossary by theme; `words.glossary` puts them together."""
