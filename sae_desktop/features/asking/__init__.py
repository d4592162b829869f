"""Questions to a dictionary that need its model: probe, attribution, sets of texts."""
