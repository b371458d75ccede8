"""A network run frozen, kept, priced and looked into."""
