"""The workspace Steer: features turned up and down, and what the model writes then."""
