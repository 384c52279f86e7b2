"""DICOM reference images of NEMA's working group 4, from pydicom.

Names and identifiers in the headers are fictitious, as their makers chose them; the sexes are those of the headers.
One patient's header has the age ``000Y``, which stands for none and is left out.
"""

import io
from typing import Any

from .study import Payload, Record, Study, link, locate, without_blanks

CODE = "imaging"
COLLECTION = "nema-wg04"
LICENSE = "MIT, as distributed with the package pydicom"
SOURCE = "pydicom, data/test_files (cut from the reference images of NEMA working group 4)"
CITATION = "Mason DL, et al. pydicom: An open source DICOM library. https://github.com/pydicom/pydicom"
PROJECT: Record = {
    "type": "project",
    "code": CODE,
    "name": "DICOM Reference Images",
    "dbgap_accession_number": CODE,
    "description": (
        "Medical images of four modalities in several encodings, made as reference for programs that read DICOM."
    ),
    "availability_type": "Open",
    "data_source": SOURCE,
    "citation": CITATION,
    "license": LICENSE,
}
FILES = (
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "JPEG2000.dcm",
    "JPGExtended.dcm",
    "examples_jpeg2k.dcm",
    "examples_rgb_color.dcm",
)
SEX = {"F": "female", "M": "male", "O": "other"}


def read() -> Study:
    """The study, as its source has it.

    Raises
    ------
    SourceMissing
        pydicom is not installed.
    """
    contents = {name: locate("pydicom", f"pydicom/data/test_files/{name}").read_bytes() for name in FILES}
    headers = {name: _header(content) for name, content in contents.items()}
    patients = {str(header.PatientID): header for header in headers.values()}
    records = {
        "core_metadata_collection": [_collection()],
        "case": [{"type": "case", "submitter_id": name, "projects": {"code": CODE}} for name in patients],
        "demographic": [_demographic(name, header) for name, header in patients.items()],
    }
    return Study(PROJECT, records, [_payload(name, contents[name], headers[name]) for name in FILES])


def _header(content: bytes) -> Any:
    from pydicom import dcmread

    return dcmread(io.BytesIO(content), stop_before_pixels=True)


def _collection() -> Record:
    return {
        "type": "core_metadata_collection",
        "submitter_id": COLLECTION,
        "projects": {"code": CODE},
        "title": "DICOM reference images",
        "creator": "NEMA working group 4",
        "contributor": "pydicom contributors",
        "description": PROJECT["description"],
        "subject": "DICOM; compression; CT; MR; nuclear medicine; ultrasound",
        "source": SOURCE,
        "relation": CITATION,
        "rights": LICENSE,
        "language": "en",
    }


def _demographic(name: str, header: Any) -> Record:
    return without_blanks(
        {
            "type": "demographic",
            "submitter_id": f"{name}-demographic",
            "cases": link(name),
            "sex": SEX.get(str(header.get("PatientSex", ""))),
        }
    )


def _payload(name: str, content: bytes, header: Any) -> Payload:
    return Payload(
        content,
        without_blanks(
            {
                "type": "imaging_file",
                "submitter_id": name.removesuffix(".dcm"),
                "file_name": name,
                "data_category": "Imaging",
                "data_type": "Medical image",
                "data_format": "DICOM",
                "modality": str(header.Modality),
                "body_part_examined": str(header.get("BodyPartExamined", "")),
                "manufacturer": str(header.get("Manufacturer", "")),
                "image_height_px": int(header.Rows),
                "image_width_px": int(header.Columns),
                "transfer_syntax_uid": str(header.file_meta.TransferSyntaxUID),
                "study_instance_uid": str(header.StudyInstanceUID),
                "sop_instance_uid": str(header.SOPInstanceUID),
                "cases": link(str(header.PatientID)),
                "core_metadata_collections": link(COLLECTION),
            }
        ),
    )
