"""Everything to click."""
