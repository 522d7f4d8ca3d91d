"""The packages that the tables are made from, and what proves that a file is one of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from .errors import GenerateError

KERNEL = "7.2.13"
"""The version of everything that is not said to come from elsewhere."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A Debian package file that the tables are made from."""

    key: str
    """The directory that it is unpacked to."""
    file: str
    """Its name in the pool."""
    sha256: str
    """Of the file."""
    why: str
    """What it is needed for; goes into the headers of the generated files."""

    @property
    def label(self) -> str:
        """`package version`, as dpkg would say it."""
        package, version, _ = self.file.split("_")
        return f"{package} {version}"


def _flavour(key: str, flavour: str, arch: str, sha256: str, why: str) -> Pin:
    file = f"linux-headers-{KERNEL}+deb14-{flavour}_{KERNEL}-1_{arch}.deb"
    return Pin(key, file, sha256, why)


PINS: tuple[Pin, ...] = (
    Pin(
        "libc",
        f"linux-libc-dev_{KERNEL}-1_all.deb",
        "8b33c2a408bbab537e753102dce181dc211007f64c1e2516065bc677f60d5d99",
        "numbers and constants",
    ),
    Pin(
        "libc-s390",
        "linux-libc-dev_6.18.15-1_all.deb",
        "f3c7b9389d68876795c6bea2bdd7d088b9e5d03a3dcd16f226ab7ddde363ce8d",
        "s390: numbers and asm/ constants; later kernels have no 31-bit interface",
    ),
    Pin(
        "common",
        f"linux-headers-{KERNEL}+deb14-common_{KERNEL}-1_all.deb",
        "5067c68cf803b385f72e6ea530cfbb9226f5eb91bfb7e256b6fcb4f87fd6279c",
        "declarations of the entry points; AF_*, SOCK_*, SOL_*, MSG_*, UMOUNT_*",
    ),
    Pin(
        "common-mips",
        "linux-headers-6.1.0-50-common_6.1.176-1_all.deb",
        "7f6f7bee50efbc36dc02c976be5982b96cf36abe544f03f09368e98cfcc5ac3b",
        "mips: SOCK_*; Debian stopped building mips kernels",
    ),
    _flavour(
        "amd64",
        "amd64",
        "amd64",
        "ca62a68d18f87235d0c32b1a3e129f9cb7859ac5e6a0c95574081f02faed8573",
        "entry points of x86_64, x86, x32",
    ),
    _flavour(
        "arm64",
        "arm64",
        "arm64",
        "13e730015bcb43fd34aa9686295c2dff52f7e5ac30ed9975d282275afdf11546",
        "entry points of aarch64, arm",
    ),
    _flavour(
        "ppc64el",
        "powerpc64le",
        "ppc64el",
        "5f50d695bdc9d81d6b4d55befd1e89999fd161175cc28bf287295e9eb8f9ec5d",
        "entry points of ppc64le",
    ),
    _flavour(
        "s390x",
        "s390x",
        "s390x",
        "94484281a3c22345f644b6a031bf90ab3ca06a6fd1167a405f000c28e9237bfa",
        "entry points of s390x",
    ),
    _flavour(
        "riscv64",
        "riscv64",
        "riscv64",
        "569eff98d9d6e7fc5977ef44430223965406b9a461ca4e388a08f9963aa655d6",
        "entry points of riscv64",
    ),
    _flavour(
        "loong64",
        "loong64",
        "loong64",
        "4ad3ca94caaf6d884ec7b79f0d0848a349dcd992ce8227a7a7cf7ad0f6777e18",
        "entry points of loongarch64",
    ),
    Pin(
        "s390",
        "linux-headers-6.12.107+deb13-s390x_6.12.107-1_s390x.deb",
        "664be9931fa4ba513ef726fe5c2a2fb5dc9444c14a1defcbfb4d456bd7951385",
        "entry points of s390",
    ),
    Pin(
        "mips",
        "linux-headers-6.1.0-50-mips64r2el_6.1.176-1_mips64el.deb",
        "387d2eefcd7f79e37028d9bab163151982cd05ab665cbc44182e03f4229ae86e",
        "entry points of the mips ABIs",
    ),
)


def pin(key: str) -> Pin:
    """The pin with a key."""
    return next(one for one in PINS if one.key == key)


def verify(pin: Pin, content: bytes) -> None:
    """Raises GenerateError unless these bytes are the pinned package."""
    digest = hashlib.sha256(content).hexdigest()
    if digest != pin.sha256:
        raise GenerateError(f"{pin.file}: SHA256 is {digest}, pinned is {pin.sha256}")
