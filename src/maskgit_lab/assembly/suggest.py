"""What somebody may have meant."""

import difflib
from collections.abc import Iterable

LIKENESS = 0.7  # from which a word may be another one misspelt; 1 = equal


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for the known word that is most like `word`, or nothing."""
    plain = {name.replace("_", "").lower(): name for name in known if name != word}
    close = difflib.get_close_matches(word.replace("_", "").lower(), plain, n=1, cutoff=LIKENESS)
    return f"; did you mean {plain[close[0]]}?" if close else ""
