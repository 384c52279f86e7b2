"""What a request about many GUIDs says."""

from collections.abc import Mapping
from typing import Any

from commonshub.core.errors import BadRequest, TooLarge


def read_guids(body: Mapping[str, Any], most: int) -> list[str]:
    """``guids`` of a body, each once, in their order.

    Raises
    ------
    BadRequest
        It is no list of texts, or empty.
    TooLarge
        There are more than `most`.
    """
    guids = body.get("guids")
    if not isinstance(guids, list) or not guids or not all(isinstance(guid, str) and guid for guid in guids):
        raise BadRequest("guids must be a list of GUIDs with at least one.")
    if len(guids) > most:
        raise TooLarge(
            f"At most {most} GUIDs can be asked for at once (StorageSettings.max_bulk_downloads), not {len(guids)}."
        )
    return list(dict.fromkeys(guids))
