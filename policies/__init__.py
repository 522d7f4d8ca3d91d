"""The policy language: source positions, loader, model, conditions, findings."""
