"""What host and GPU did while a sample was taken, what they are, and what they can do at most."""
