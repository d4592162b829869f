"""What is told of a crash and of the machine it came on. Free of torch and Qt."""
