"""The table of device modules. A module joins it with `@device_module` where it is defined."""

from __future__ import annotations

from k210kit.emulator.modules.table import DeviceModule, device_module, instance, known_names, offered

__all__ = ["DeviceModule", "device_module", "instance", "known_names", "offered"]
