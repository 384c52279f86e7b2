"""Sign-in, tokens, policies and temporary data access (Gen3: Fence, Arborist, workspace-token-service)."""
