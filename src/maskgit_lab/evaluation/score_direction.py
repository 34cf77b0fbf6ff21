"""Which way a score is better, by its name; read by the shell, so nothing here imports torch."""

HIGHER_IS_BETTER = (  # the start of a score's name
    "psnr",
    "ssim",
    "token_accuracy",
    "precision",
    "recall",
    "p_ids",
    "u_ids",
    "best_psnr",
    "best_ssim",
    "diversity",
)


def is_higher_better(score: str) -> bool:
    """Return whether larger values of a score are better."""
    return score.startswith(HIGHER_IS_BETTER)
