"""API keys, and access tokens for keys and hub tokens."""
