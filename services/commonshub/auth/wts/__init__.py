"""Tokens of this commons and of others for workspaces (Gen3: workspace-token-service)."""
