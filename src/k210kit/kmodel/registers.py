"""The twelve 64-bit registers that describe one KPU layer. Source: SDK `kpu.h`, `kpu_layer_argument_t`.

Fields keep the numbers of the registers themselves; the properties give them a meaning. What all known files have
as 0 has 0 for a default, and so have the three addresses, which the runtime fills in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from k210kit import hardware
from k210kit.kmodel import memory
from k210kit.wire import bits, rest

__all__ = ["POOLS", "Pool", "Registers"]


@dataclass(frozen=True)
class Pool:
    """What one value of `pool_type` does to the 8-bit result. Source: nncase 0.2 and 1.9 `k210` kernels."""

    name: str
    size: int  # side of the window in pixels; of a pick, of the square that it picks from
    stride: int


POOLS: tuple[Pool, ...] = (
    Pool("none", 1, 1),
    Pool("max 2x2", 2, 2),
    Pool("mean 2x2", 2, 2),
    Pool("max 4x4", 4, 4),
    Pool("mean 4x4", 4, 4),
    Pool("pick left top of 2x2", 2, 2),
    Pool("pick right top of 2x2", 2, 2),
    Pool("pick left top of 4x4", 4, 4),
    Pool("mean 2x2 stride 1", 2, 1),
    Pool("max 2x2 stride 1", 2, 1),
)


_ZEROS = "ram_flag full_add pad_type first_stride bypass_convolution column_offset row_offset coefficient_size reserved"
_UNKNOWN = ((0, _ZEROS.split()), (1, ["load_weights", "load_activation", "load_coordinates"]))


def _bits(word: int, low: int, high: int, meaning: str, *, signed: bool = False, default: int | None = 0) -> int:
    made: int = bits(8 * word, low, high, meaning, signed=signed, default=default)
    return made


@dataclass(frozen=True, kw_only=True)
class Registers:
    """One KPU layer, as the hardware takes it."""

    interrupt_enabled: int = _bits(0, 0, 0, "interrupt when the layer is done; set by the runtime")
    ram_flag: int = _bits(0, 1, 1, "0 in every known file")
    full_add: int = _bits(0, 2, 2, "0 in every known file")
    depthwise: int = _bits(0, 3, 3, "1: every output channel sees its own input channel only")
    input_line: int = _bits(1, 0, 14, "where the input lies in KPU memory, in lines of 64 bytes")
    output_line: int = _bits(1, 32, 46, "where the output goes in KPU memory, in lines of 64 bytes")
    input_channels_minus_1: int = _bits(2, 0, 9, "input channels, less 1", default=None)
    output_channels_minus_1: int = _bits(2, 32, 41, "output channels, less 1", default=None)
    channels_per_load_minus_1: int = _bits(2, 48, 57, "output channels whose weights one load holds, less 1")
    input_width_minus_1: int = _bits(3, 0, 9, "input width in pixels, less 1", default=None)
    input_height_minus_1: int = _bits(3, 10, 18, "input height in pixels, less 1", default=None)
    output_width_minus_1: int = _bits(3, 32, 41, "output width after pooling, less 1", default=None)
    output_height_minus_1: int = _bits(3, 42, 50, "output height after pooling, less 1", default=None)
    kernel_type: int = _bits(4, 0, 2, "0: 1x1, 1: 3x3", default=None)
    pad_type: int = _bits(4, 3, 3, "0 in every known file: a constant is padded")
    pool_type: int = _bits(4, 4, 7, "0 to 9, see the table of pools")
    first_stride: int = _bits(4, 8, 8, "0 in every known file")
    bypass_convolution: int = _bits(4, 9, 9, "0 in every known file")
    load_weights: int = _bits(4, 10, 10, "1 in every known file", default=1)
    dma_burst: int = _bits(4, 16, 23, "15 in every known file", default=15)
    pad_value: int = _bits(4, 24, 31, "the byte that a 3x3 kernel sees outside of the picture")
    batch_norm_address: int = _bits(4, 32, 63, "set by the runtime")
    load_coordinates: int = _bits(5, 0, 0, "1 in every known file", default=1)
    loads_minus_1: int = _bits(5, 1, 6, "weight loads that the layer takes, less 1")
    load_bytes: int = _bits(5, 15, 31, "bytes of one weight load")
    weights_address: int = _bits(5, 32, 63, "set by the runtime")
    column_offset: int = _bits(6, 0, 3, "0 in every known file")
    row_offset: int = _bits(6, 4, 15, "0 in every known file")
    input_channel_lines: int = _bits(7, 0, 14, "lines from one group of input channels to the next")
    input_row_lines: int = _bits(7, 16, 19, "lines per row of the input")
    coefficient_size: int = _bits(7, 20, 27, "0 in every known file")
    input_channels_per_line: int = _bits(7, 28, 30, "input channels that share a line: 1, 2 or 4")
    load_activation: int = _bits(7, 31, 31, "1 in every known file", default=1)
    activation_address: int = _bits(7, 32, 63, "set by the runtime")
    output_channel_lines: int = _bits(8, 0, 14, "lines from one group of output channels to the next")
    output_row_lines: int = _bits(8, 16, 19, "lines per row of the output")
    output_channels_per_line: int = _bits(8, 20, 22, "output channels that share a line: 1, 2 or 4")
    shr_w: int = _bits(9, 0, 3, "right shift of arg_w times the sum of the weights")
    shr_x: int = _bits(9, 4, 7, "right shift of arg_x times the sum of the pixels")
    arg_w: int = _bits(9, 8, 31, "factor of the sum of the weights: less the input's zero point", signed=True)
    arg_x: int = _bits(9, 32, 55, "factor of the sum of the pixels: less the weights' zero point", signed=True)
    arg_add: int = _bits(
        10, 0, 39, "added for each input channel: product of the zero points and the taps", signed=True
    )
    send_to_main_memory: int = _bits(11, 0, 0, "set by the runtime from the layer's flags")
    channel_bytes_minus_1: int = _bits(11, 16, 31, "bytes of one output channel in main memory, less 1")
    total_bytes_minus_1: int = _bits(11, 32, 63, "bytes of the whole output in main memory, less 1")
    reserved: int = rest("reserved bits; 0 in every known file")

    @property
    def input_channels(self) -> int:
        return self.input_channels_minus_1 + 1

    @property
    def output_channels(self) -> int:
        return self.output_channels_minus_1 + 1

    @property
    def input_width(self) -> int:
        return self.input_width_minus_1 + 1

    @property
    def input_height(self) -> int:
        return self.input_height_minus_1 + 1

    @property
    def output_width(self) -> int:
        return self.output_width_minus_1 + 1

    @property
    def output_height(self) -> int:
        return self.output_height_minus_1 + 1

    @property
    def kernel_size(self) -> int:
        """Side of the kernel, 1 or 3; 0 for a type that no known file has."""
        return {0: 1, 1: 3}.get(self.kernel_type, 0)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.input_channels, self.input_height, self.input_width

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """Channels, height, width, after pooling."""
        return self.output_channels, self.output_height, self.output_width

    @property
    def input_lines(self) -> int:
        """Lines of KPU memory that the input takes."""
        return memory.lines(self.input_width, self.input_height, self.input_channels)

    @property
    def output_lines(self) -> int:
        """Lines of KPU memory that the output takes."""
        return memory.lines(self.output_width, self.output_height, self.output_channels)

    @property
    def input_layout(self) -> memory.Layout:
        """How the input lies in KPU memory, as the registers tell it."""
        return memory.Layout(self.input_channels_per_line, self.input_row_lines, self.input_channel_lines)

    @property
    def output_layout(self) -> memory.Layout:
        """How the output lies in KPU memory, as the registers tell it."""
        return memory.Layout(self.output_channels_per_line, self.output_row_lines, self.output_channel_lines)

    def doubts(self) -> Iterator[str]:
        """In what these registers leave what is known of the hardware; the simulator follows them or says it does not.

        Registers whose meaning is not known have one value in every known file; another is ignored.
        """
        for usual, names in _UNKNOWN:
            for name in names:
                if getattr(self, name) != usual:
                    yield f"register {name} is {getattr(self, name)}; what that does is not known, and it is ignored"
        for name, layout, width, height in (
            ("input", self.input_layout, self.input_width, self.input_height),
            ("output", self.output_layout, self.output_width, self.output_height),
        ):
            derived = memory.Layout.of_width(width, height=height)
            if layout != derived:
                yield f"the {name}'s layout registers say {layout}, not {derived} as its width does; they are followed"
        first, second = self.input_line, self.output_line
        if first < second + self.output_lines and second < first + self.input_lines:
            yield "input and output overlap in KPU memory; here the input is read whole before the output is written"

    @property
    def weight_count(self) -> int:
        """Weights of the whole layer."""
        inputs = 1 if self.depthwise else self.input_channels
        return self.output_channels * inputs * self.kernel_size**2

    @property
    def multiply_adds(self) -> int:
        """Products that the KPU forms: its convolution always has stride 1."""
        return self.weight_count * self.input_width * self.input_height

    @classmethod
    def for_conv(
        cls,
        *,
        input_shape: tuple[int, int, int],
        output_channels: int,
        kernel_size: int,
        depthwise: bool = False,
        pool_type: int = 0,
        weight_bytes: int = 1,
        **values: int,
    ) -> Registers:
        """Registers whose layout fields follow from the shapes; `values` sets the others by name.

        `input_shape` is channels, height, width. `weight_bytes` is 1 or 2, the bytes of one weight.
        """
        channels, height, width = input_shape
        stride = POOLS[pool_type].stride
        out_width, out_height = width // stride, height // stride
        one = kernel_size**2 * (1 if depthwise else channels) * weight_bytes
        per_load = output_channels if depthwise else _channels_per_load(output_channels, one, weight_bytes)
        return cls(
            depthwise=int(depthwise),
            input_channels_minus_1=channels - 1,
            output_channels_minus_1=output_channels - 1,
            channels_per_load_minus_1=per_load - 1,
            input_width_minus_1=width - 1,
            input_height_minus_1=height - 1,
            output_width_minus_1=out_width - 1,
            output_height_minus_1=out_height - 1,
            kernel_type={1: 0, 3: 1}[kernel_size],
            pool_type=pool_type,
            loads_minus_1=-(-output_channels // per_load) - 1,
            load_bytes=per_load * one,
            input_channel_lines=memory.channel_lines(width, height),
            input_row_lines=memory.row_lines(width),
            input_channels_per_line=memory.channels_per_line(width),
            output_channel_lines=memory.channel_lines(out_width, out_height),
            output_row_lines=memory.row_lines(out_width),
            output_channels_per_line=memory.channels_per_line(out_width),
            channel_bytes_minus_1=(out_width * out_height - 1) & 0xFFFF,  # read only when a result leaves the KPU
            total_bytes_minus_1=out_width * out_height * output_channels - 1,
            **values,
        )


def _channels_per_load(channels: int, bytes_per_channel: int, weight_bytes: int) -> int:
    return min(channels, max(1, hardware.WEIGHT_BYTES_PER_LOAD * weight_bytes // bytes_per_channel))
