"""What a class gets and hands in."""
