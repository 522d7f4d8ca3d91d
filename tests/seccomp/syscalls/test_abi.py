"""The list of ABIs, against the kernel's headers and libseccomp."""

from __future__ import annotations

import os

import pytest

from stockade.seccomp.syscalls import (
    ABIS,
    FAMILIES,
    Abi,
    abi,
    constant,
    family_of,
    native_abi,
)

_AUDIT = {
    "x86_64": "X86_64",
    "x86": "I386",
    "x32": "X86_64",
    "aarch64": "AARCH64",
    "arm": "ARM",
    "ppc64le": "PPC64LE",
    "s390": "S390",
    "s390x": "S390X",
    "riscv64": "RISCV64",
    "mips": "MIPS",
    "mips64": "MIPS64",
    "mips64n32": "MIPS64N32",
    "mipsel": "MIPSEL",
    "mipsel64": "MIPSEL64",
    "mipsel64n32": "MIPSEL64N32",
    "loongarch64": "LOONGARCH64",
}


@pytest.mark.parametrize("each", ABIS.values(), ids=ABIS)
def test_audit_arch_is_the_headers_value(each: Abi) -> None:
    assert each.audit_arch == constant(f"AUDIT_ARCH_{_AUDIT[each.name]}", each)


@pytest.mark.parametrize("each", ABIS.values(), ids=ABIS)
def test_libseccomp_agrees_on_byte_order_and_size(each: Abi) -> None:
    # The two flags of an AUDIT_ARCH: 64-bit registers, little endian (linux/audit.h).
    assert bool(each.audit_arch & 0x80000000) == (each.registers == 64)
    assert bool(each.audit_arch & 0x40000000) != each.big_endian


def test_the_ilp32_abis_of_64_bit_kernels_have_full_registers() -> None:
    assert {each.name for each in ABIS.values() if each.bits != each.registers} == {
        "x32",
        "mips64n32",
        "mipsel64n32",
    }


def test_families_are_dockers() -> None:
    found = {f.native.name: [each.name for each in f.compat] for f in FAMILIES}
    assert found["x86_64"] == ["x86", "x32"]
    assert found["aarch64"] == ["arm"]
    assert found["mips64"] == ["mips", "mips64n32"]
    assert found["mipsel64n32"] == ["mipsel", "mipsel64"]
    assert found["s390x"] == ["s390"]
    assert found["riscv64"] == found["loongarch64"] == found["ppc64le"] == []
    assert "x32" not in found
    assert family_of(abi("aarch64")).abis == (abi("aarch64"), abi("arm"))


def test_every_abi_is_in_a_family() -> None:
    assert {each.name for family in FAMILIES for each in family.abis} == set(ABIS)


def test_a_machine_has_one_native_abi() -> None:
    machines = [machine for each in ABIS.values() for machine in each.machines]
    assert len(machines) == len(set(machines))
    assert native_abi("x86_64") is abi("x86_64")
    assert native_abi("aarch64").docker == "arm64"
    assert native_abi(os.uname().machine).bits in (32, 64)
    with pytest.raises(KeyError):
        native_abi("vax")


def test_names_elsewhere() -> None:
    assert abi("x86_64").scmp == "SCMP_ARCH_X86_64"
    assert abi("mipsel64n32").scmp == "SCMP_ARCH_MIPSEL64N32"
    assert (abi("x86_64").docker, abi("x86").docker) == ("amd64", "x86")
    assert abi("mipsel64n32").docker == "mips3l64n32"
