"""The Wisconsin diagnostic breast cancer data (Wolberg, Street and Mangasarian, 1995), from scikit-learn.

The source has one row for each fine needle aspirate of a breast mass: the class, and thirty features of the cell
nuclei on its stained slide. It names neither age nor sex, so there are no demographic records.
"""

import csv

from .study import Payload, Record, Study, link, locate, table

CODE = "breast"
COLLECTION = "wdbc"
CITATION = (
    "Street WN, Wolberg WH, Mangasarian OL. Nuclear feature extraction for breast tumor diagnosis. IS&T/SPIE "
    "International Symposium on Electronic Imaging 1905:861-870, 1993."
)
LICENSE = "CC BY 4.0"
SOURCE = (
    "scikit-learn, datasets/data/breast_cancer.csv (UCI Machine Learning Repository, "
    "Breast Cancer Wisconsin (Diagnostic), doi:10.24432/C5DW2B)"
)
PROJECT: Record = {
    "type": "project",
    "code": CODE,
    "name": "Wisconsin Breast Cytology",
    "dbgap_accession_number": CODE,
    "description": (
        "Fine needle aspirates of 569 breast masses, malignant or benign, with features of the cell nuclei computed "
        "from a digitised image of each stained slide."
    ),
    "availability_type": "Open",
    "data_source": SOURCE,
    "citation": CITATION,
    "license": LICENSE,
}
FEATURES = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
)
COLUMNS = [f"{feature}_{statistic}" for statistic in ("mean", "standard_error", "worst") for feature in FEATURES]
CLASS = {"0": "malignant", "1": "benign"}


def read() -> Study:
    """The study, as its source has it.

    Raises
    ------
    SourceMissing
        scikit-learn is not installed.
    """
    with locate("scikit-learn", "sklearn/datasets/data/breast_cancer.csv").open(newline="") as file:
        reader = csv.reader(file)
        next(reader)
        rows = {f"WDBC-{position:03d}": row for position, row in enumerate(reader, 1)}
    records = {
        "core_metadata_collection": [_collection()],
        "case": [_case(name) for name in rows],
        "diagnosis": [_diagnosis(name, row) for name, row in rows.items()],
        "sample": [_sample(name) for name in rows],
        "aliquot": [_aliquot(name, row) for name, row in rows.items()],
    }
    return Study(PROJECT, records, [_payload(label, rows) for label in CLASS.values()])


def _collection() -> Record:
    return {
        "type": "core_metadata_collection",
        "submitter_id": COLLECTION,
        "projects": {"code": CODE},
        "title": "Breast Cancer Wisconsin (Diagnostic)",
        "creator": "Wolberg WH, Street WN, Mangasarian OL",
        "description": PROJECT["description"],
        "subject": "breast cancer; cytology; fine needle aspiration",
        "date": "1995",
        "publisher": "UCI Machine Learning Repository",
        "source": SOURCE,
        "relation": CITATION,
        "rights": LICENSE,
        "language": "en",
    }


def _case(name: str) -> Record:
    return {
        "type": "case",
        "submitter_id": name,
        "projects": {"code": CODE},
        "primary_site": "Breast",
        "disease_type": "Breast mass",
    }


def _diagnosis(name: str, row: list[str]) -> Record:
    label = CLASS[row[-1]]
    return {
        "type": "diagnosis",
        "submitter_id": f"{name}-diagnosis",
        "cases": link(name),
        "primary_diagnosis": f"{label.capitalize()} breast mass",
        "classification": label,
    }


def _sample(name: str) -> Record:
    return {
        "type": "sample",
        "submitter_id": f"{name}-aspirate",
        "cases": link(name),
        "sample_type": "Fine needle aspirate",
        "anatomic_site": "Breast",
    }


def _aliquot(name: str, row: list[str]) -> Record:
    values = dict(zip(COLUMNS, row, strict=False))
    return {
        "type": "aliquot",
        "submitter_id": f"{name}-slide",
        "samples": link(f"{name}-aspirate"),
        "preparation": "Stained slide",
        **{f"nuclear_{key}": float(values[key]) for key in ("radius_mean", "texture_mean", "area_mean")},
        "nuclear_concavity_mean": float(values["concavity_mean"]),
    }


def _payload(label: str, rows: dict[str, list[str]]) -> Payload:
    chosen = {name: row for name, row in rows.items() if CLASS[row[-1]] == label}
    content = table(["aliquot", *COLUMNS], ([f"{name}-slide", *row[:-1]] for name, row in chosen.items()))
    return Payload(
        content,
        {
            "type": "measurement_file",
            "submitter_id": f"wdbc-nuclei-{label}",
            "file_name": f"wdbc-nuclei-{label}.csv",
            "data_category": "Cytology",
            "data_type": "Nuclear morphology",
            "data_format": "CSV",
            "row_count": len(chosen),
            "column_count": len(COLUMNS) + 1,
            "cases": link(*chosen),
            "aliquots": link(*(f"{name}-slide" for name in chosen)),
            "core_metadata_collections": link(COLLECTION),
        },
    )
