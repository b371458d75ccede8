"""What every module stands on: numbers as arguments, and the memory of the process."""
