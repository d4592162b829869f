"""Features as places: the map, and how features of another dictionary split."""
