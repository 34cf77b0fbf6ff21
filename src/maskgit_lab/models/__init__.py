"""Networks: the tokenizers (stage 1) and the bidirectional transformer (stage 2)."""
