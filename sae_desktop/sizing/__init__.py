"""What harvest, training and index take for a model and a size, before any of it is started."""
