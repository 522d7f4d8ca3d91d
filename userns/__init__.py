"""User namespaces: subordinate ids, maps and their allocation (not built yet)."""
