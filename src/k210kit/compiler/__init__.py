"""From a float model to a kmodel V3."""
