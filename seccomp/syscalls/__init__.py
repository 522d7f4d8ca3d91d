"""System call tables: numbers, arguments and named constants of every ABI that Stockade knows.

The data files are generated from kernel headers by generate/, which says from which.
"""

from .abi import ABIS, FAMILIES, Abi, Family, abi, family_of, native_abi, other_name
from .constants import constant, constant_names, errno_names, errno_number
from .prototypes import Argument, arguments
from .tables import Table, known_names, table

__all__ = [
    "ABIS",
    "FAMILIES",
    "Abi",
    "Argument",
    "Family",
    "Table",
    "abi",
    "arguments",
    "constant",
    "constant_names",
    "errno_names",
    "errno_number",
    "family_of",
    "known_names",
    "native_abi",
    "other_name",
    "table",
]
