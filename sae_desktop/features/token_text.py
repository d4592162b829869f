"""Tokens as text, for readers of an index."""

from sae_desktop.language_model.token_text import token_text, visible_token

__all__ = ["token_text", "visible_token"]
