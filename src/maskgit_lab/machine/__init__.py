"""This process and the machine under it: cores, ranks, the allocator, peak memory."""
