"""An exercise and its judge."""
