"""Reading an index. Free of torch: the window does it too."""
