"""What people look at: figures, tables, curves, a page."""
