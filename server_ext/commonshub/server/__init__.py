"""The Jupyter server extension that keeps a workspace signed in."""
