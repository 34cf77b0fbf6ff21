"""Keep a codebook in use: start it from data and move entries that nothing chose for a while onto current latents.

Without it most entries are never the nearest one early in training, get no gradient and stay useless (random restarts as in
Jukebox, Dhariwal et al. 2020).
"""

import torch
from torch import Tensor, nn

from maskgit_lab.core.randomness import generator
from maskgit_lab.models.codebook import Codebook

# window of the usage that is logged when nothing is revived
DEFAULT_WINDOW = 100


class CodebookRevival(nn.Module):
    """Remember when each entry was last used.

    Args:
        num_codebook_vectors: entries.
        after_steps: entries unused for so many steps are moved, checked every so many steps; 0 = never, and the codebook starts
            from its own initialisation (lab protocol).
        seed: of the choice of latents.
    """

    def __init__(self, *, num_codebook_vectors: int, after_steps: int, seed: int) -> None:
        super().__init__()
        self.after_steps = after_steps
        self.seed = seed
        self.register_buffer("last_used", torch.zeros(num_codebook_vectors, dtype=torch.int64))
        self.last_used: Tensor

    def observe(self, tokens: Tensor, step: int) -> None:
        """Note the tokens (any shape) that a training step used."""
        self.last_used[tokens.flatten()] = step

    def usage(self, step: int) -> Tensor:
        """Return the share of entries used within the last `after_steps` steps."""
        return (step - self.last_used < (self.after_steps or DEFAULT_WINDOW)).float().mean()

    def due(self, step: int) -> bool:
        """Say whether `move` would look for unused entries before this step."""
        return self.after_steps > 0 and step % self.after_steps == 0

    def move(self, codebook: Codebook, rows: Tensor, step: int) -> int:
        """Put every entry on a latent at step 0, and the unused ones later; return how many entries were moved.

        The codebook is changed in place. `rows` (..., C), current latents, are drawn from without replacement while they last;
        the random choice is a function of (seed, step).
        """
        unused = step - self.last_used > self.after_steps
        moved = torch.nonzero(unused if step else torch.ones_like(unused)).flatten()
        rows = rows.flatten(0, -2)
        rows = rows[rows.isfinite().all(1)]  # a latent that is not finite would make an entry that no update mends
        if not len(rows):
            return 0
        order = torch.randperm(len(rows), generator=generator(self.seed, "revive", step))
        picks = order.to(rows.device)[torch.arange(len(moved), device=rows.device) % len(rows)]
        with torch.no_grad():
            codebook.embedding.weight[moved] = rows[picks].to(codebook.embedding.weight.dtype)
        self.last_used[moved] = step
        return len(moved)
