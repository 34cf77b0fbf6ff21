"""What people look at: figures, plots, tables, curves, a page."""
