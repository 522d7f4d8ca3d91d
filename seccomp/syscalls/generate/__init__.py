"""Generates numbers.tsv, prototypes.tsv, constants.tsv and errno.tsv in data/ from kernel headers.

    python -m stockade.seccomp.syscalls.generate --fetch        # writes data/
    python -m stockade.seccomp.syscalls.generate --debs DIR     # the same, from files at hand
    python -m stockade.seccomp.syscalls.generate --debs DIR --check   # only compares

The source is a fixed set of Debian packages, `PINS` of pins.py: exact file names, verified by
SHA256. They lie in a Debian archive under `pool/main/l/linux/`. `--fetch` takes the mirror that
apt is configured with (what `apt-get --print-uris download linux-libc-dev` prints) and keeps the
files in a cache directory outside the repository. A mirror drops a version once it is superseded;
then name an archive that still has it with `--mirror URL` (the part before `pool/`; a snapshot of
the Debian archive has every version), or move the pins to newer packages.

Exit codes: 0 done, or the same; 1 `--check` found a difference; 2 wrong usage, packages or
overlay, or no gcc; 3 a package cannot be fetched: one line on stderr says which and why, and
nothing in data/ is written.

What each output is made of:

numbers (numbers.py)
    `__NR_…` of asm/unistd*.h in linux-libc-dev, per ABI.
prototypes (prototypes.py, declarations.py, overlay.py)
    For each number the kernel's own entry point, from the generated system call table in
    linux-headers-*-FLAVOUR (asm/syscalls_32.h, asm/syscall_table_64.h, …), and the entry point's
    declaration in linux/syscalls.h, linux/compat.h and asm/syscalls.h of linux-headers-*-common.
    What those do not say comes from data/overlay.tsv, with the source in each line:
    `sig SYSCALL ABIS PARAMETERS SOURCE`, `names SYSCALL ABIS NAMES SOURCE`,
    `narrow SYSCALL ARGUMENT TYPE SOURCE`. A line that changes nothing is an error.
constants, errno (constants.py, gcc.py)
    Macros and enumerators with a prefix of `PREFIXES` in the headers `HEADERS`, evaluated by the
    host's gcc for each ABI: no system include directory, the ABI's asm/ headers, its predefined
    macros, and its sizes (`-m64`, `-m32`, `-mx32`, `-malign-double`) for `sizeof` in `_IOR` and
    the like. No cross compiler: only integer constant expressions are evaluated.
"""
