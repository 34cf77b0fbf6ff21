"""Lightning modules, optimisers and callbacks."""
