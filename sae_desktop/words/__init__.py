"""What is said in words, to whoever uses the window or the command line. Free of Qt and torch."""
