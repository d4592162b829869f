"""The manual beside the window: its pages, the search in them, and the way back into the window."""
