"""What makes a phase train, stop and resume."""
