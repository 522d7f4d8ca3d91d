"""The Docker authorization plugin: requests read as the engine reads them, decided by OPA rules."""
