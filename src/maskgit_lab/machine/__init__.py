"""This process and the machine under it: device, cores, ranks, the allocator, peak memory."""
