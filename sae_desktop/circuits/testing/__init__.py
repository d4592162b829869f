"""A graph put to the test: its nodes changed in the model, and what that does."""
