"""`KPU`: neural networks. Source: port/src/Maix/Maix_kpu.c of MaixPy 0.6.2; the library below it is `kpu_library`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.emulator import costs, kpu_library
from k210kit.emulator.board import Board, Picture
from k210kit.emulator.buffers import as_bytes
from k210kit.emulator.face_features import face_compare, face_encode
from k210kit.emulator.kpu_library import KpuError, KpuLibrary, LoadedModel, UndefinedOnBoardError
from k210kit.emulator.modules.image.arguments import as_array, as_float, as_int
from k210kit.emulator.modules.kpu_classifier import make_classifier
from k210kit.emulator.modules.kpu_objects import FeatureMap, Found, KpuNet, LayerInfo, YoloSettings, layer_name
from k210kit.emulator.modules.table import NotEmulatedError, device_module
from k210kit.emulator.system_memory import SystemBlock
from k210kit.emulator.yolo2 import SLOTS, Grid, decode
from k210kit.kmodel import Conv, recognise

__all__ = ["KpuModule"]

_GRAYSCALE, _RGB565 = 4, 2
_SAYS = {
    2001: "ERR_PARAM: please check param, load address or kmodel file name",
    2002: "ERR_KMODEL_VERSION: only support kmodel V3",
    2003: "ERR_KMODEL_FORMAT: layer_header.body_size <=0",
    2004: "ERR_DECRYPT: check smodel match with your board",
    2005: "ERR_READ_FILE: read file failed",
    2006: "ERR_NO_MEM: memory not enough",
    2007: "ERR_GET_CONV_LAYER: first layer should be conv layer",
    2008: "ERR_RUN_MODEL: maybe model dirty",
    2009: "ERR_MODELS_FULL: we only support load 5 models in the same time",
}


@device_module("KPU")
class KpuModule:
    """The module."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._library = KpuLibrary(board)
        self.classifier = make_classifier(board, self._features)

    # loading ----------------------------------------------------------------------------------------------------
    def load(self, *arguments: Any, **_unknown: object) -> KpuNet:
        """Load a model from a flash address or a file into RAM (Any: int or str)."""
        _least(arguments, 1)
        where = arguments[0]
        if type(where) is int:
            if where <= 0:
                raise ValueError("[MAIXPY]kpu: model_addr must > 0 ")
            self._refuse_unknown_kind(self._board.flash.read(where, 64), f"at 0x{where:X}")
            model = self._loaded("load", lambda: self._library.load_address(where))
            self._board.clock.advance(costs.flash_copy_seconds(model.size))
            return KpuNet(model, address=where, path=None)
        if isinstance(where, str):
            if not any(ending in where for ending in (".kmodel", ".smodel", ".emodel")):
                raise ValueError("[MAIXPY]kpu: model format don't match, only supply .kmodel ")
            if self._board.files.exists(where):
                with self._board.files.open(where, "rb") as stream:
                    self._refuse_unknown_kind(stream.read(64), where)
            model = self._loaded("load", lambda: self._library.load_path(where))
            self._board.clock.advance(costs.card_read_seconds(model.size))
            return KpuNet(model, address=None, path=where)
        raise TypeError("[MAIXPY]kpu: only accept int or string")

    def load_flash(self, *arguments: Any, **_unknown: object) -> KpuNet:
        """Leave a byte-swapped model in flash: address, two buffers, batch size, SPI clock (Any: ints)."""
        _least(arguments, 4)
        if any(type(value) is not int for value in arguments[:4]):
            raise ValueError(
                "[MAIXPY]kpu: load_flash arg format error: "
                "task=kpu.load_flash(flash_addr, is_dual_buf, batch_size, spi_speed)"
            )
        address, dual, batch_size, speed = arguments[:4]
        if address <= 0:
            raise ValueError("[MAIXPY]kpu: model_addr must > 0 ")
        model = self._loaded("load_flash", lambda: self._library.load_flash(address, bool(dual), batch_size, speed))
        return KpuNet(model, address=address, path=None)

    def _loaded(self, what: str, load: Any) -> LoadedModel:
        """Any: a call that returns the model."""
        try:
            made: LoadedModel = load()
        except KpuError as failure:
            raise ValueError(f"[MAIXPY]kpu: {what} error:{failure.code}, {self._says(failure.code)}") from None
        return made

    def _says(self, code: int) -> str:
        if code == 2002 and self._board.has("kmodel_v4"):
            return "ERR_KMODEL_VERSION: only support kmodel V3/V4 now"
        return _SAYS.get(code, "ERR_UNKNOWN")

    def _refuse_unknown_kind(self, start: bytes, where: str) -> None:
        """A model that this firmware would run and the emulator cannot."""
        if len(start) < 40:
            return
        kind = recognise(start)
        if kind is None:
            return
        if kind.kind in ("smodel", "emodel") or (kind.version == 4 and self._board.has("kmodel_v4")):
            raise NotEmulatedError(
                f"The model {where} is a {kind.kind} V{kind.version}; the emulator runs kmodel V3 only. "
                "Compile the network with `k210kit compile`."
            )

    def deinit(self, net: KpuNet) -> bool:
        """Free a model's memory."""
        self._check_net(net)
        self._library.destroy(net._model)
        _free_yolo(net)
        return True

    # running ----------------------------------------------------------------------------------------------------
    def forward(self, kpu_net: Any, img: Any = None, out_index: int = 0, dma: int = -1) -> FeatureMap | None:
        """Run a picture, or a list of numbers for a model that starts with a dense layer (Any: the script's)."""
        if not isinstance(kpu_net, KpuNet):
            return None
        model = kpu_net._model
        values, block = self._input(model, img)
        try:
            self._run(model, values, dma=as_int(dma))
        finally:
            if block is not None:
                block.free()
        try:
            return self._feature_map(model, as_int(out_index))
        except KpuError:
            raise OSError("sipeed_kpu_get_output err") from None

    def get_output(self, kpu_net: Any, index: Any = None) -> FeatureMap:
        """Another output of the forward before (Any: a net and an int)."""
        if not isinstance(kpu_net, KpuNet) or type(index) is not int:
            raise ValueError("[MAIXPY]kpu: get_output arg format error: get_output(task, int idx)")
        try:
            return self._feature_map(kpu_net._model, index)
        except KpuError as failure:
            raise OSError(str(failure.code)) from None

    def _input(self, model: LoadedModel, given: Any) -> tuple[NDArray[Any], SystemBlock | None]:
        """What goes into the model, and the memory it takes meanwhile (Any: a picture or a list)."""
        if hasattr(given, "pix_ai"):
            return self._planes(model, given), None
        if not isinstance(given, list):
            raise ValueError("input not support")
        if not given:
            raise ValueError("[MAIXPY]kpu: check input list format err!\r\n")
        block = self._board.heap.allocate(4 * len(given), "KPU input")
        if block is None:
            raise ValueError("[MAIXPY]kpu: alloc list mem err!\r\n")
        values = np.array([as_float(value) for value in given], np.float32)
        if not kpu_library.first_is_float(model):
            raise UndefinedOnBoardError(
                "A list of numbers went into a model that starts with a convolution; MaixPy takes their bytes for a "
                "picture. Give an image."
            )
        wanted = model.kmodel.input_shape[0]
        if values.size < wanted:
            raise UndefinedOnBoardError(
                f"The list has {values.size} numbers; the model takes {wanted}, and MaixPy would read what lies behind."
            )
        return values[:wanted], block

    def _planes(self, model: LoadedModel, picture: Picture) -> NDArray[np.uint8]:
        """The picture's KPU planes, after the checks of check_img_format."""
        types = model.layer_types
        if model.destroyed or not types or types[0] != 10240:
            raise ValueError("[MAIXPY]kpu: first layer not conv layer!\r\n")
        channels, height, width = model.kmodel.input_shape
        complaint = self._complaint(picture, channels, height, width)
        if complaint:
            self._board.print(f"[MAIXPY]kpu: {complaint}\n")
            raise ValueError("[MAIXPY]kpu: check img format err!\r\n")
        assert picture.pix_ai is not None
        return picture.pix_ai[:channels]

    def _complaint(self, picture: Picture, channels: int, height: int, width: int) -> str:
        if picture.pix_ai is None:
            return "pix_ai is NULL!"
        high, wide = picture.pixels.shape[:2] if picture.pixels.ndim == 2 else (0, 0)
        if (wide, high) != (width, height):
            return f"img w={wide},h={high}, but model w={width},h={height}"
        if picture.pixel_format == _GRAYSCALE and channels != 1:
            return f"grayscale img, but model channel={channels}"
        if picture.pixel_format == _RGB565 and channels != 3:
            return f"RGB img, but model channel={channels}"
        if picture.pixel_format not in (_GRAYSCALE, _RGB565):
            return "img bpp not support yet!"
        return ""

    def _features(self, net: KpuNet, picture: Picture) -> NDArray[np.float32]:
        """A net's first output as floats, for the classifier."""
        self._run(net._model, self._planes(net._model, picture), dma=1)
        made = self._feature_map(net._model, 0)
        return np.array(made._values, np.float32)

    def _run(self, model: LoadedModel, values: NDArray[Any], *, dma: int) -> None:
        try:
            self._library.run(model, values, dma=dma > 0)
        except KpuError as failure:
            raise OSError(self._says(failure.code)) from None
        if model.seconds is None:
            model.seconds = costs.inference_seconds(model.kmodel, self._board.firmware, model.load, model.spi_hz)
        self._board.clock.advance(model.seconds)

    def _feature_map(self, model: LoadedModel, index: int) -> FeatureMap:
        data = self._library.output(model, index)
        last = model.layer_count - 1
        layer = model.kmodel.layers[last]
        if isinstance(layer, Conv):
            channels, height, width = layer.registers.output_shape
            return FeatureMap(data, "B", (width, height, channels), last, self._board)
        code = kpu_library.type_code(layer.type)
        return FeatureMap(data, code, (data.size & 0xFFFF, 1, 1), last, self._board)

    def set_outputs(self, *arguments: Any, **_unknown: object) -> bool:
        """State an output's shape: net, index, w, h, channels (Any: the script's). True if its size fits."""
        _least(arguments, 4)
        if (
            len(arguments) < 5
            or not isinstance(arguments[0], KpuNet)
            or any(type(v) is not int for v in arguments[1:5])
        ):
            raise ValueError(
                "[MAIXPY]kpu: set_outputs arg format error: set_outputs(task, int idx, int w, int h, int ch)"
            )
        net, index, width, height, channels = arguments[:5]
        outputs = net._model.kmodel.outputs
        if not 0 <= index < len(outputs):
            self._board.print(f"[MAIXPY]kpu: set_outputs arg value error:kmodel output idx {index} out of range\n")
            return False
        size = outputs[index].size
        if size not in (width * height * channels, 4 * width * height * channels):
            self._board.print("[MAIXPY]kpu: set_outputs arg value error: w,c,ch size not match output size\n")
            return False
        return True

    def set_layers(self, kpu_net: KpuNet, count: int) -> bool:
        """Run only the first `count` layers from now on."""
        layers, most = as_int(count), len(kpu_net._model.layer_types)
        if layers > most:
            self._board.print(f"err: set layers_length to {layers}, but max {most}\n")
            return False
        self._library.set_output_layer(kpu_net._model, layers if layers > 0 else most)
        return True

    def fmap(self, fmap: FeatureMap, channel: int) -> Picture:
        """A channel of a byte map as a grayscale picture that shares the map's memory."""
        number = as_int(channel)
        if not 0 <= number < fmap.ch():
            raise ValueError(f"[MAIXPY]kpu: ch err,input 0~{fmap.ch()}\r\n")
        if fmap.typecode() != "B":
            raise ValueError("[MAIXPY]kpu: can't convet float fmap yet\r\n")
        area = fmap.w() * fmap.h()
        plane = fmap._data[area * number : area * (number + 1)]
        if plane.size < area:  # of a layer that set_layers chose, the size is told as one byte less
            plane = np.pad(plane, (0, area - plane.size))
        plane = plane.reshape(fmap.h(), fmap.w())
        made: Picture = self._board.module("image").from_bytes_plane(plane)
        return made

    def fmap_free(self, fmap: FeatureMap) -> None:
        return None

    # YOLO -------------------------------------------------------------------------------------------------------
    def init_yolo2(
        self,
        kpu_net: Any = None,
        threshold: Any = None,
        nms_value: Any = None,
        anchor_number: int = 0,
        anchor: Any = None,
        dma: int = -1,
    ) -> bool:
        """Keep thresholds and anchors with a net (Any: the script's values, checked here)."""
        if not isinstance(kpu_net, KpuNet):
            raise TypeError("[MAIXPY]kpu: kpu_net type error")
        least_score = as_float(threshold)
        if not 0.0 <= least_score <= 1.0:
            raise ValueError("[MAIXPY]kpu: threshold only support 0 to 1")
        overlap = as_float(nms_value)
        if not 0.0 <= overlap <= 1.0:
            raise ValueError("[MAIXPY]kpu: nms_value only support 0 to 1")
        count = as_int(anchor_number)
        if count <= 0:
            raise ValueError("[MAIXPY]kpu: anchor_number should > 0")
        anchors = tuple(float(np.float32(as_float(value))) for value in as_array(anchor, count * 2))
        _free_yolo(kpu_net)
        for size in (count * 8, 24):
            block = self._board.heap.allocate(size, "YOLO settings")
            if block is not None:
                kpu_net._yolo_blocks.append(block)
        kpu_net._yolo = YoloSettings(float(np.float32(least_score)), float(np.float32(overlap)), anchors)
        return True

    def run_yolo2(self, kpu_net: Any, img: Any) -> list[Found] | None:
        """Run a picture and decode the boxes: a list, or None if there is none (Any: a net and a picture)."""
        if not isinstance(kpu_net, KpuNet):
            raise TypeError("[MAIXPY]kpu: kpu_net type error")
        if not hasattr(img, "pix_ai"):
            raise TypeError("Can't convert to image!" if img is None else "Expected image")
        model = kpu_net._model
        planes = self._planes(model, img)
        if kpu_net._yolo is None:
            raise UndefinedOnBoardError("KPU.run_yolo2 before KPU.init_yolo2: MaixPy follows a null pointer.")
        grid = _grid(model, kpu_net._yolo)
        blocks = self._region_memory(grid)
        try:
            self._run(model, planes, dma=-1)
            values = self._region_values(model, grid)
            found = decode(values, grid)
        finally:
            for block in blocks:
                block.free()
        self._board.clock.advance(costs.yolo2_seconds(grid.boxes, grid.classes, self._board.firmware))
        if len(found) > SLOTS:
            self._board.warn(
                f"KPU.run_yolo2 found {len(found)} boxes; MaixPy has room for {SLOTS} and overwrites its memory with "
                "the rest. Only the first are given. Raise the threshold."
            )
            found = found[:SLOTS]
        return [Found(one, i, len(found)) for i, one in enumerate(found)] or None

    def _region_memory(self, grid: Grid) -> list[SystemBlock]:
        blocks: list[SystemBlock] = []
        for size in (16 * grid.boxes, 4 * grid.boxes * (grid.classes + 1), 8 * grid.boxes):
            block = self._board.heap.allocate(size, "YOLO boxes")
            if block is None:
                for taken in blocks:
                    taken.free()
                raise ValueError("[MAIXPY]kpu: region_layer_init err!\r\n")
            blocks.append(block)
        return blocks

    def _region_values(self, model: LoadedModel, grid: Grid) -> NDArray[np.float32]:
        """The output as floats, in place; what MaixPy would read behind it is refused."""
        data = self._library.output(model, 0)
        needed = grid.boxes * (5 + grid.classes)
        values = data[: data.size // 4 * 4].view(np.float32)
        if values.size < needed:
            raise UndefinedOnBoardError(
                f"KPU.run_yolo2 reads {needed:,} floats for {len(grid.anchors) // 2} anchors, {grid.classes} classes "
                f"and {grid.width}x{grid.height} cells; the model gives {data.size:,} bytes. Its output must be float "
                "and have 5 x (5 + classes) channels."
            )
        return values[:needed]

    # information ------------------------------------------------------------------------------------------------
    def netinfo(self, kpu_net: KpuNet) -> list[LayerInfo]:
        """One object per layer; sizes of convolutions only."""
        self._check_net(kpu_net)
        model = kpu_net._model
        if not model.layer_count:
            raise ValueError("get layer num error!")
        made = []
        for i, layer in enumerate(model.kmodel.layers[: model.layer_count]):
            self._board.print(f"layer[{i}]: {layer_name(layer.type)}, {model.kmodel.body_sizes[i]} bytes\n")
            values = {"index": i, "type": layer.type}
            values |= dict.fromkeys(("wi", "hi", "wo", "ho", "chi", "cho", "dw", "kernel_type", "pool_type"), 0)
            values["para_size"] = model.kmodel.body_sizes[i]
            if isinstance(layer, Conv):
                r = layer.registers
                values.update(
                    wi=r.input_width, hi=r.input_height, wo=r.output_width, ho=r.output_height,
                    chi=r.input_channels, cho=r.output_channels, dw=int(r.depthwise),
                    kernel_type=r.kernel_type, pool_type=r.pool_type, para_size=r.load_bytes,
                )  # fmt: skip
            made.append(LayerInfo(**values))
        return made

    def memtest(self) -> None:
        """Print what a single piece of the GC heap may have, and what the C heap has."""
        low, high = 0, 0x800000
        while high - low > 0x400:
            size = (low + high) // 2
            while size < high:
                try:
                    self._board.gc.allocate(size).free()
                except MemoryError:
                    high = size
                    break
                low = size
                size *= 2
        self._board.print(f"###free gc heap memory : {low // 1024} KB\n")
        self._board.print(f"###free sys heap memory: {self._board.heap.free_bytes // 1024} KB\n")

    def face_encode(self, features: Sequence[float]) -> bytearray:
        """Features as signed bytes."""
        values = [as_float(value) for value in as_array(features)]
        if len(values) > 512:
            raise ValueError("feature dim <=200\r\n")
        return face_encode(values)

    def face_compare(self, first: Any, second: Any) -> float:
        """How alike two encoded faces are, 0 to 100 (Any: buffers)."""
        one, two = as_bytes(first), as_bytes(second)
        if len(one) != len(two):
            raise ValueError("compare feature must in same dim!\r\n")
        return face_compare(one, two)

    def _check_net(self, net: object) -> None:
        if not isinstance(net, KpuNet):
            raise TypeError("[MAIXPY]kpu: kpu_net type error")


def _grid(model: LoadedModel, settings: YoloSettings) -> Grid:
    """The region layer's view: the input of the first convolution, the output of the last."""
    convs = [layer for layer in model.kmodel.layers[: model.layer_count] if isinstance(layer, Conv)]
    _, net_height, net_width = convs[0].registers.input_shape
    channels, height, width = convs[-1].registers.output_shape
    return Grid(
        net_width=net_width,
        net_height=net_height,
        width=width,
        height=height,
        anchors=settings.anchor(),
        classes=max(0, channels // 5 - 5),
        threshold=settings.threshold(),
        nms=settings.nms_value(),
    )


def _free_yolo(net: KpuNet) -> None:
    for block in net._yolo_blocks:
        block.free()
    net._yolo, net._yolo_blocks = None, []


def _least(arguments: tuple[Any, ...], count: int) -> None:
    if len(arguments) < count:
        raise TypeError(f"function missing {count} required positional arguments")
