"""Runs cases, each in a process of its own: order, deadlines, sampling, resume."""
