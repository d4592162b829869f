"""Language models: load them, name their sites, capture and intervene."""
