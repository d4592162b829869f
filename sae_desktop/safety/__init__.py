"""Safety: concept sets, what of a dictionary tells them apart, and monitors made of it."""
