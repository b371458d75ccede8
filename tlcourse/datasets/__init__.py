"""How images and sounds are stored, made and fetched."""
