"""What normalisation asks of a compiler of seccomp policies; `stockade/` brings one."""

from __future__ import annotations

from typing import Protocol


class SeccompReader(Protocol):
    """Knows the policies that rules name and compares profiles with them by meaning."""

    def policies_equal(self, profile_text: str, capabilities: frozenset[str]) -> tuple[str, ...]:
        """Names of the policies that answer every call as this profile does, sorted.

        `profile_text` is Docker's or OCI's JSON as the request has it, `capabilities` what the
        container's first process may hold (`CAP_CHOWN`), on which a profile's meaning depends.
        Raises Denied when the profile cannot be read.
        """
