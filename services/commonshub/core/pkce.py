"""Proof Key for Code Exchange (RFC 7636): who redeems a code shows that the code was asked for by him.

The one method is S256; ``plain`` would show the verifier to whoever sees the request.
"""

import base64
import hashlib


def challenge_of(verifier: str) -> str:
    """What is told of a verifier when the code is asked for: its SHA-256, as base64url without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
