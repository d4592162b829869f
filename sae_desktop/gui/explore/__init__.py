"""The workspace Explore: the features of an index."""
