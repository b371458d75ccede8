"""What may be tried, and how trials survive."""
