"""The parts of `tools/pretrain.py`: where the images come from, and the networks that are trained."""
