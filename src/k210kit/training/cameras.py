"""What a board's camera script has to know: the screen, the camera, the firmware it usually has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from k210kit.errors import KitError, unknown
from k210kit.firmware import Firmware, catalogue, resolve
from k210kit.kmodel import Kmodel
from k210kit.planner import Fit, Setup, fit, frame_size
from k210kit.planner import plan as plan_memory
from k210kit.timing import Load

from .datasets.pixels import InputSize

__all__ = [
    "CAMERAS",
    "Camera",
    "CameraPlan",
    "camera_named",
    "check_target",
    "plan_camera",
    "released_builds_that_hold_it",
]


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A board as its script sees it; `lcd` are the arguments of lcd.init, None where there is no screen."""

    name: str
    title: str
    firmware: str
    lcd: str | None = ""
    lcd_size: str = "320x240"
    transmit_pin: int = 35
    receive_pin: int = 34


# Pins and screens: M5Stack's public scripts for UnitV and M5StickV, MaixPy's py_lcd.c for the screen types.
CAMERAS: tuple[Camera, ...] = (
    Camera(name="unitv", title="M5Stack UnitV", firmware="full", lcd=None, lcd_size="none"),
    Camera(name="m5stickv", title="M5StickV", firmware="m5stickv", lcd="type=3", lcd_size="240x135"),
    Camera(name="maixbit", title="Sipeed Maix Bit", firmware="full", transmit_pin=6, receive_pin=7),
    Camera(name="maixdock", title="Sipeed Maix Dock", firmware="full", transmit_pin=6, receive_pin=7),
    Camera(name="maixgo", title="Sipeed Maix Go", firmware="full", transmit_pin=6, receive_pin=7),
    Camera(name="maixduino", title="Sipeed Maixduino", firmware="full", transmit_pin=6, receive_pin=7),
    Camera(name="maixcube", title="Sipeed Maix Cube", firmware="full", lcd="type=2", lcd_size="240x240"),
    Camera(name="amigo", title="Sipeed Maix Amigo", firmware="amigo_ips", lcd_size="480x320"),
    Camera(name="twatch", title="Lilygo T-Watch K210", firmware="twatch", lcd="type=4", lcd_size="240x240"),
)


# what img.compress takes of the system heap while it works, without and with all image functions (OMV/fb_alloc.c)
_COMPRESSOR_BYTES = (300 * 1024, 700 * 1024)


def camera_named(name: str) -> Camera:
    """The board with this name, or an `InputError` that lists them."""
    for camera in CAMERAS:
        if camera.name == name:
            return camera
    raise unknown("board", name, (camera.name for camera in CAMERAS))


def check_target(board: str, firmware: str | None) -> None:
    """An `InputError` if there is no such board or firmware, said before an hour of training rather than after it."""
    resolve(firmware or camera_named(board).firmware)


@dataclass(frozen=True, kw_only=True)
class CameraPlan:
    """How the camera script sees and loads: the frame taken, the window of it, and the way the model is loaded.

    window: what is cut out of the frame; if it is larger than the model's input, the script scales it down.
    """

    camera: Camera
    firmware: Firmware
    frame: Literal["QVGA", "QQVGA"]
    window: tuple[int, int]
    load: Load
    dual_buffer: bool
    call: str
    fit: Fit


def plan_camera(
    kmodel: Kmodel, size: InputSize, *, board: str, firmware: str | None, stream: bool = False
) -> CameraPlan:
    """Choose window, buffers and the way of loading so that it fits and is fast: RAM before flash.

    stream: leave room for the compressor, too. If nothing fits, the smallest way is taken, and the plan's `fit` says
    what would cure it.
    """
    camera = camera_named(board)
    chosen = resolve(firmware or camera.firmware)
    frame, window = _window(size)
    resized = "none" if window == (size.width, size.height) else f"{size.width}x{size.height}"
    spare = _COMPRESSOR_BYTES["find_blobs" in chosen.features] if stream else 0
    ways: tuple[Load, ...] = ("ram", "flash-dual", "flash")
    for load in ways:
        for dual in (True, False):
            if dual and "double_buffer" not in chosen.features:
                continue
            made = fit(
                kmodel,
                firmware=chosen,
                load=load,
                camera=frame,
                dual_buffer=dual,
                lcd=camera.lcd_size,
                resized_to=resized,
            )
            if made.fits and made.spare_bytes >= spare:
                break
        if made.fits and made.spare_bytes >= spare:
            break
    if made is None:
        raise KitError("no way of loading was tried")
    return CameraPlan(
        camera=camera,
        firmware=chosen,
        frame=frame,
        window=window,
        load=load,
        dual_buffer=dual,
        call=made.call,
        fit=made,
    )


def released_builds_that_hold_it(plan: CameraPlan) -> tuple[str, ...]:
    """The released builds for this board, other than the plan's own, on which the same script and model fit."""
    found = []
    for row in catalogue():
        if not row.release_file or row.name == plan.firmware.name or row.board not in ("MAIX", plan.firmware.board):
            continue
        setup = Setup(
            firmware=row,
            load=plan.load,
            camera=frame_size(plan.frame),
            dual_buffer=plan.dual_buffer,
            lcd=frame_size(plan.camera.lcd_size),
        )
        if plan_memory(setup, plan.fit.model).fits:
            found.append(row.name)
    return tuple(found)


def _window(size: InputSize) -> tuple[Literal["QVGA", "QQVGA"], tuple[int, int]]:
    """The frame size and the window that show much of the scene in the input's proportions.

    A window as large as the input needs no scaling. One that would show less than three fifths of the frame's height
    (and width) is enlarged to the whole height or width instead, in steps of 8 pixels.
    """
    if size.width <= 160 and size.height <= 120:
        frame: Literal["QVGA", "QQVGA"] = "QQVGA"
        limits = (160, 120)
    else:
        frame, limits = "QVGA", (320, 240)
    share = max(size.width / limits[0], size.height / limits[1])
    if share >= 0.6:
        return frame, (size.width, size.height)
    for factor in (k / 8 for k in range(32, 8, -1)):
        window = size.width * factor, size.height * factor
        if window[0] <= limits[0] and window[1] <= limits[1] and not window[0] % 8 and not window[1] % 8:
            return frame, (int(window[0]), int(window[1]))
    return frame, (size.width, size.height)
