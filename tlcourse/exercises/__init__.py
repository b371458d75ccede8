"""One module a lesson: its exercises, and what each says to an answer."""
