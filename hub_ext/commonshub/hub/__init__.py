"""The hub: authenticator, workspaces, embedded infrastructure and the `commonshub` command."""
