"""The web pages of the commons (Gen3: Windmill)."""
