from __future__ import annotations

import pytest

from k210kit.errors import FormatError
from k210kit.package import Kfpkg, KfpkgFile, read_kfpkg, write_kfpkg
from tests.fuzz.mutations import damaged


def package() -> bytes:
    files = (
        KfpkgFile(address=0, name="maixpy.bin", data=bytes(range(256)), sha256_prefix=True),
        KfpkgFile(address=0x300000, name="models/m.kmodel", data=b"\3\0\0\0" * 20, reverse_words=True),
    )
    return write_kfpkg(Kfpkg(files=files))


def read_or_refuse(data: bytes) -> bool:
    """Read a package; True if that went well, False if it was refused with one of our errors."""
    try:
        read_kfpkg(data)
    except FormatError:
        return False
    return True


@pytest.mark.parametrize("seed", range(3))
def test_damaged_packages_are_read_or_refused(seed: int) -> None:
    results = [read_or_refuse(data) for data in damaged(package(), seed, 1000)]
    assert not all(results)
