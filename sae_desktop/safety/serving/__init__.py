"""A model with its steering and monitors behind an address, as OpenAI clients ask."""
