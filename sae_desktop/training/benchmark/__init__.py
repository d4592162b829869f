"""What a dictionary is worth where the truth is known: data made from features we chose."""
