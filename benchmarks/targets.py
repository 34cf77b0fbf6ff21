"""What each row is to reach, by row and instruction set: ratios, or seconds where the row counts seconds."""

# no set of instructions without a target is meant to reach one: AVX-512 without bf16 is between its neighbours
TARGETS: dict[str, dict[str, float]] = {
    "training_lab": {"avx2": 1.8, "avx512_bf16": 3.4, "cuda": 5.0},
    "training_small": {"avx2": 2.0, "avx512_bf16": 2.7},
    "decoding_exact_lab": {"avx2": 3.0, "avx512_bf16": 4.5, "cuda": 50.0},
    "decoding_exact_small": {"avx2": 3.5, "avx512_bf16": 4.5},
    "decoding_refresh_lab": {"avx2": 4.5, "avx512_bf16": 7.5, "cuda": 7.0},
    "decoding_refresh_small": {"avx2": 5.5, "avx512_bf16": 7.2},
    "table_lab": {"avx2": 6.0, "avx512_bf16": 8.5, "cuda": 100.0},
    "table_small": {"avx2": 8.0, "avx512_bf16": 10.0},
    "frechet": {"avx2": 45.0, "avx512_bf16": 50.0},
}
EVERYWHERE = {
    "peers": 1.0,  # faster
    "scaling": 0.95,  # an image costs the same in a large set, a twentieth for noise
    # seconds above torch's import
    "startup_import": 1.0,
    "startup_inpaint": 3.0,
    # times a step with nothing beside it, the faster way of waiting, at most
    "loaded_nothing": 1.05,
    "loaded_one busy core": 1.6,
    "loaded_another training": 1.7,
}


def target(key: str, isa: str) -> float | None:
    """Return what a row is to reach with an instruction set, None where nobody said."""
    of_row = TARGETS.get(key, {})
    return of_row.get("avx512_bf16" if isa == "amx" else isa, EVERYWHERE.get(key))
