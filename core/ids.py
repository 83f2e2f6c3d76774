"""Public identifiers: a prefix that tells the kind, and 80 random bits."""

import base64
import secrets


def new_id(prefix: str) -> str:
    """Return `prefix` + "_" + 16 lower-case base32 characters."""
    return f"{prefix}_{base64.b32encode(secrets.token_bytes(10)).decode().lower()}"


def new_salt() -> str:
    """Return 32 lower-case hex characters of fresh randomness, for a bucketing salt."""
    return secrets.token_hex(16)
