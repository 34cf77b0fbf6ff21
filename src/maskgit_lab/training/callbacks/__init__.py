"""Lightning callbacks: scores, pictures, results."""
