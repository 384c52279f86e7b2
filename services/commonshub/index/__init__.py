"""Where each data object is, and who may fetch it (Gen3: Indexd; GA4GH DRS)."""
