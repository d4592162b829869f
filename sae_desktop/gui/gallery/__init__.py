"""The workspace Gallery: dictionaries of others."""
