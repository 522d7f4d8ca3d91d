"""Checks over policies and profiles; each yields findings."""
