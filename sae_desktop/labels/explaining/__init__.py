"""Labels of features by a model that answers."""
