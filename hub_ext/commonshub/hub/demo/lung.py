"""The lung cancer cohort of the North Central Cancer Treatment Group (Loprinzi and others, 1994), from lifelines."""

import csv
from collections import defaultdict

from .study import Payload, Record, Study, integer, link, locate, number, table, without_blanks

CODE = "lung"
COLLECTION = "ncctg-lung"
CITATION = (
    "Loprinzi CL, Laurie JA, Wieand HS, et al. Prospective evaluation of prognostic variables from patient-completed "
    "questionnaires. North Central Cancer Treatment Group. Journal of Clinical Oncology 12(3):601-607, 1994."
)
LICENSE = "MIT, as distributed with the package lifelines"
SOURCE = "lifelines, datasets/lung.csv (first published with the R package survival)"

PROJECT: Record = {
    "type": "project",
    "code": CODE,
    "name": "NCCTG Lung Cancer",
    "dbgap_accession_number": CODE,
    "description": (
        "Survival of 228 people with advanced lung cancer, with performance scores given by physician and by "
        "participant, diet and weight loss at enrolment."
    ),
    "availability_type": "Open",
    "data_source": SOURCE,
    "citation": CITATION,
    "license": LICENSE,
}
SEX = {"1": "male", "2": "female"}
STATUS = {"0": "alive", "1": "dead"}


def read() -> Study:
    """The study, as its source has it.

    Raises
    ------
    SourceMissing
        lifelines is not installed.
    """
    with locate("lifelines", "lifelines/datasets/lung.csv").open(newline="") as file:
        reader = csv.DictReader(file)
        rows = {f"NCCTG-{position:03d}": row for position, row in enumerate(reader, 1)}
        header = list(reader.fieldnames or [])
    records = {
        "core_metadata_collection": [_collection()],
        "case": [_case(name, row) for name, row in rows.items()],
        "demographic": [_demographic(name, row) for name, row in rows.items()],
        "diagnosis": [_diagnosis(name, row) for name, row in rows.items()],
        "exposure": [_exposure(name, row) for name, row in rows.items() if row["meal.cal"]],
    }
    return Study(PROJECT, records, _payloads(header, rows))


def _collection() -> Record:
    return {
        "type": "core_metadata_collection",
        "submitter_id": COLLECTION,
        "projects": {"code": CODE},
        "title": "NCCTG Lung Cancer Data",
        "creator": "Loprinzi CL, Laurie JA, Wieand HS, et al.",
        "contributor": "North Central Cancer Treatment Group",
        "description": PROJECT["description"],
        "subject": "lung cancer; survival; performance status",
        "date": "1994",
        "source": SOURCE,
        "relation": CITATION,
        "rights": LICENSE,
        "language": "en",
    }


def _case(name: str, row: dict[str, str]) -> Record:
    institution = integer(row["inst"])
    return without_blanks(
        {
            "type": "case",
            "submitter_id": name,
            "projects": {"code": CODE},
            "primary_site": "Lung",
            "disease_type": "Advanced lung cancer",
            "institution_code": str(institution) if institution is not None else None,
        }
    )


def _demographic(name: str, row: dict[str, str]) -> Record:
    return without_blanks(
        {
            "type": "demographic",
            "submitter_id": f"{name}-demographic",
            "cases": link(name),
            "sex": SEX[row["sex"]],
            "age_at_enrollment_years": integer(row["age"]),
        }
    )


def _diagnosis(name: str, row: dict[str, str]) -> Record:
    return without_blanks(
        {
            "type": "diagnosis",
            "submitter_id": f"{name}-diagnosis",
            "cases": link(name),
            "primary_diagnosis": "Advanced lung cancer",
            "classification": "malignant",
            "ecog_performance_status": integer(row["ph.ecog"]),
            "karnofsky_score_physician": integer(row["ph.karno"]),
            "karnofsky_score_patient": integer(row["pat.karno"]),
            "weight_loss_pounds": number(row["wt.loss"]),
            "vital_status": STATUS[row["status"]],
            "survival_days": integer(row["time"]),
        }
    )


def _exposure(name: str, row: dict[str, str]) -> Record:
    return {
        "type": "exposure",
        "submitter_id": f"{name}-exposure",
        "cases": link(name),
        "meal_energy_kcal": number(row["meal.cal"]),
    }


def _payloads(header: list[str], rows: dict[str, dict[str, str]]) -> list[Payload]:
    """One table of the whole cohort, and one for each institution that enrolled."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, row in rows.items():
        institution = integer(row["inst"])
        groups["unknown" if institution is None else f"{institution:02d}"].append(name)
    parts = {"ncctg-lung.csv": list(rows)}
    parts |= {f"ncctg-lung-institution-{group}.csv": names for group, names in sorted(groups.items())}
    return [_payload(file_name, header, {name: rows[name] for name in names}) for file_name, names in parts.items()]


def _payload(file_name: str, header: list[str], rows: dict[str, dict[str, str]]) -> Payload:
    content = table(["case", *header], ([name, *row.values()] for name, row in rows.items()))
    return Payload(
        content,
        {
            "type": "measurement_file",
            "submitter_id": file_name.removesuffix(".csv"),
            "file_name": file_name,
            "data_category": "Clinical",
            "data_type": "Clinical measurements",
            "data_format": "CSV",
            "row_count": len(rows),
            "column_count": len(header) + 1,
            "cases": link(*rows),
            "core_metadata_collections": link(COLLECTION),
        },
    )
