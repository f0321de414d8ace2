"""Data sets as people have them, read without TensorFlow; faults are found and told, and the rest is used.

Each reader joins the table of forms where it is defined.
"""

from __future__ import annotations

from . import coco, cvat, folder, labelme, lines, table, tfrecord, voc, yolo  # noqa: F401 - they fill the table
from .doctor import Examined, Health, Ready, examine
from .forms import FORMS, read_dataset
from .records import Box, Dataset, Finding, Findings, Part, Picture, Task
from .split import Fractions, Split, split

__all__ = [
    "FORMS",
    "Box",
    "Dataset",
    "Examined",
    "Finding",
    "Findings",
    "Fractions",
    "Health",
    "Part",
    "Picture",
    "Ready",
    "Split",
    "Task",
    "examine",
    "read_dataset",
    "split",
]
