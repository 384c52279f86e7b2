"""The commons as an OAuth 2 and OpenID provider for other programs."""
