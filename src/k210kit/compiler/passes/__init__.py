"""Rewritings of the graph, one per file; each keeps the meaning of the model."""
