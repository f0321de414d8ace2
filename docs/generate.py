"""Write every generated page of the documentation; with --check, fail if one is old.

    python -m docs.generate [--check]

A page joins by being listed in PAGES: its path below docs/, and the function that returns its text.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from docs import (
    commands_page,
    errors_page,
    firmware_page,
    flash_map_page,
    json_schemas,
    kmodel_page,
    limits_page,
    link_layout,
    link_page,
    maixpy_page,
    net_design_page,
    operators_page,
    python_page,
)

DOCS = Path(__file__).resolve().parent

PAGES: dict[str, Callable[[], str]] = {
    "howto/design-a-net.md": net_design_page.page,
    "reference/operators.md": operators_page.page,
    "reference/commands.md": commands_page.page,
    "reference/errors.md": errors_page.page,
    "reference/firmware.md": firmware_page.page,
    "reference/flash-map.md": flash_map_page.page,
    "reference/link-protocol.md": link_page.page,
    "../receivers/stickc_plus/layout.h": link_layout.header,
    "reference/kmodel-v3.md": kmodel_page.page,
    "reference/maixpy.md": maixpy_page.page,
    "reference/json.md": json_schemas.page,
    "reference/python.md": python_page.page,
    "reference/limits.md": limits_page.page,
    **json_schemas.files(),
}


def main(arguments: list[str]) -> int:
    old = []
    for name, text in PAGES.items():
        path, wanted = DOCS / name, text()
        if path.exists() and path.read_text(encoding="utf-8") == wanted:
            continue
        old.append(name)
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted, encoding="utf-8")
    for name in old:
        print(("old: " if "--check" in arguments else "written: ") + name)
    return 1 if old and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
