"""Stockade: a security policy compiler for Linux containers."""

__version__ = "0.1.0"
