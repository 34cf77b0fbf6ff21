"""Lightning callbacks: scores, figures, results."""
