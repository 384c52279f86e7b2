"""``python -P -m commonshub.hub.demo``: load the demo data into a commons."""

import argparse
import sys
import time
from pathlib import Path

from . import breast, imaging, lung, sandbox
from .client import Client, Refused, read_credentials
from .loader import load
from .study import SourceMissing


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when the commons holds all demo data."""
    parser = argparse.ArgumentParser(
        prog="python -P -m commonshub.hub.demo",
        description="Load the demo data into a commons over its HTTP API. A second run changes nothing.",
    )
    parser.add_argument("--endpoint", required=True, help="the commons, as scheme://host:port")
    parser.add_argument("--credentials", required=True, type=Path, help="JSON file with an administrator's API key")
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    try:
        client = Client(options.endpoint, read_credentials(options.credentials.read_text()))
        load(client, [lung.read(), breast.read(), imaging.read(), sandbox.read()], lambda line: print(line, flush=True))
    except (Refused, SourceMissing, OSError) as error:
        print(f"The demo data are not complete: {error}", file=sys.stderr)
        return 1
    print(f"The demo data are in place ({time.monotonic() - begun:.1f} s).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
