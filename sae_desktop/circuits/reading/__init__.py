"""What is read of graphs, without torch."""
