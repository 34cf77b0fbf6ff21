"""Real photos: any size and mode, holes to square crops at the network's resolution, and only hole pixels back."""
