"""How a model reads text: tokenizer, chat template, windows."""
