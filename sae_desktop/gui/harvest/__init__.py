"""The workspace Harvest: from a model and a corpus to a store of activations."""
