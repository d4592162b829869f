"""Labels of features: made by models, scored, queued, searched by meaning."""
