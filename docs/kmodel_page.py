"""The reference page of the kmodel V3 format, read from the declarations."""

from __future__ import annotations

import inspect

from k210kit import wire
from k210kit.kmodel.layers import LAYERS, Conv
from k210kit.kmodel.layers.convolution import ActivationWord, BatchNormWord, ConvWords
from k210kit.kmodel.model import Header, Output, TableRow
from k210kit.kmodel.registers import POOLS, Registers
from k210kit.kmodel.versions import HeaderV1, HeaderV4

__all__ = ["page"]

_START = """# The kmodel V3 format

All numbers are little-endian. A file for `kpu.load_flash` is the same with the bytes of every 32-bit word reversed
(`k210kit swap`). There is no magic word, no input shape, no output shape and no name in the file: the input's shape is
that of the first layer. Addresses are bytes in the one main memory buffer that the runtime allocates; lines are of
64 bytes in the KPU's own 2 MiB.

Sources: the SDK's runtime (kendryte-standalone-sdk, `lib/drivers/kpu.c`), the compilers nncase 0.1, 0.2 and 1.9, and
public files; what hardware photos confirm is told on the page on [the KPU's arithmetic](kpu-arithmetic.md).

The file is: header, outputs, layer table, bodies back to back. The vendor's writer ends each body at a file offset that
is a multiple of 8 and counts the padding in `body_size`; the last padding may be missing from the file.
"""

_CONV = """The words are followed, in files of the vendor's writer, by what they point to: the registers at a file
offset that is a multiple of 8, the weights of 128, the batch norm of 128, the activation table of 256. A reader follows
the offsets only. Weights are bytes (or 16-bit words, by the header's flags):
`[output channel][input channel][row][column]`, depthwise `[channel][row][column]`.
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [_START]
    for title, record in (("Header", Header), ("Each output", Output), ("Each row of the layer table", TableRow)):
        parts.append(f"## {title}\n\n{wire.table(record)}\n")
    parts.append("## Layers\n")
    parts.extend(_layer(number) for number in sorted(LAYERS))
    parts.append("## Other versions\n\nRecognised and described by `k210kit inspect`, not run.\n")
    parts.append(f"### kmodel V1\n\n{wire.table(HeaderV1)}\n")
    parts.append(f"### kmodel V4\n\n{wire.table(HeaderV4)}\n")
    parts.append("kmodel V5 (nncase 1.x) begins with the same identifier and a 5.\n")
    return "\n".join(parts)


def _layer(number: int) -> str:
    kind = LAYERS[number]
    said = inspect.cleandoc(kind.__doc__ or "")
    if kind is not Conv:
        return f"### {number} {kind.name}\n\n{said}\n\n{wire.table(kind)}\n"
    pools = "\n".join(f"| {i} | {pool.name} |" for i, pool in enumerate(POOLS))
    return "\n".join(
        [
            f"### {number} {kind.name}\n\n{said}\n\n{wire.table(ConvWords)}\n\n{_CONV}",
            f"#### Registers\n\n{wire.table(Registers)}\n",
            f"#### Pool types\n\n| value | what |\n|---|---|\n{pools}\n",
            f"#### Batch norm, a word per output channel\n\n{wire.table(BatchNormWord)}\n",
            f"#### Activation table, 16 words and then 16 bytes of bias\n\n{wire.table(ActivationWord)}\n",
        ]
    )
