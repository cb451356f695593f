"""Models with names: their versions, aliases and notes, as events of a log of their own."""
