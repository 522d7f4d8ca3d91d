"""The Docker authorization plugin (not built yet)."""
