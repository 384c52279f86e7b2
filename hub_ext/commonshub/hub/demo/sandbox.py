"""An empty project in which everybody who is signed in may try a submission."""

from .study import Record, Study

PROJECT: Record = {
    "type": "project",
    "code": "sandbox",
    "name": "Sandbox",
    "dbgap_accession_number": "sandbox",
    "description": "Try a submission here: everybody who is signed in may add, change and delete records.",
    "availability_type": "Open",
}


def read() -> Study:
    """The project, without records."""
    return Study(PROJECT, {}, [])
