"""Sources of text and the tokenised windows made from them."""
