"""From floats to the integers of the KPU."""
