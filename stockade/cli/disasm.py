"""`stockade disasm`."""

from __future__ import annotations

import click

from ..seccomp.disassemble import disassemble
from .programs import read_program

_EPILOG = """\b
Examples:
  stockade disasm web.bpf
  stockade compile docker-default --target bpf -o - | stockade disasm -
"""


@click.command("disasm", epilog=_EPILOG)
@click.argument("file")
@click.option("--big-endian", is_flag=True, help="The program is for a big-endian machine.")
def command(file: str, big_endian: bool) -> int:
    """Show the BPF program in FILE (`-`: stdin), one line an instruction.

    FILE is an array of struct sock_filter, 8 bytes each, as `stockade compile --target bpf`,
    seccomp_export_bpf(3) and bubblewrap's --seccomp use it.
    """
    program = read_program(file, big_endian=big_endian)
    click.echo(disassemble(program, big_endian=big_endian), nl=False)
    click.echo(f"{len(program)} instructions", err=True)
    return 0
