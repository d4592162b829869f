"""What stands beside the graph about a node: its inputs and outputs, groups, a test."""
