"""Weights in formats that other programs read or write: the lab's checkpoints, safetensors."""
