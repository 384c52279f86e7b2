"""The life of a blob: an upload of 5 GB in parts, and the memory that its verification takes."""

import time
from collections.abc import Iterator
from pathlib import Path

import requests
from harness import Commons, Figure

PART_BYTES = 64 * 2**20
PARTS = 80
SAMPLE_S = 0.1
TIMEOUT_S = 1800


def measure() -> Iterator[Figure]:
    commons = Commons()
    try:
        pid = commons.parts["index"]["pid"]
        guid = upload(commons)
        before = most = rss_mb(pid)
        begun = None
        end = time.monotonic() + TIMEOUT_S
        while time.monotonic() < end:
            most = max(most, rss_mb(pid))
            told = requests.get(f"{commons.origin}/index/index/{guid}/blob", timeout=30).json()
            if told["done"] and begun is None:
                begun = time.monotonic()
            if told["state"] in ("verified", "failed"):
                break
            time.sleep(SAMPLE_S)
        if told["state"] != "verified" or told["size"] != PARTS * PART_BYTES or begun is None:
            raise RuntimeError(f"The upload was not verified: {told}")
        yield Figure("index.verify_5gb_rss_mb", most - before, "MB", bound=50)
        yield Figure("index.verify_mb_s", told["size"] / 1e6 / (time.monotonic() - begun), "MB/s", better="high")
    finally:
        commons.close()


def upload(commons: Commons) -> str:
    """Upload 5 GB of zeros in parts by presigned URLs; the GUID."""
    api = f"{commons.origin}/user/data/multipart"

    def ask(step: str, **body: object) -> dict[str, str]:
        answer = commons.session.post(f"{api}/{step}", json=body, timeout=600)
        answer.raise_for_status()
        return answer.json() if answer.content else {}

    made = ask("init", file_name="large.bin")
    guid, upload_id = made["guid"], made["uploadId"]
    key, data, parts = f"{guid}/large.bin", bytes(PART_BYTES), []
    for number in range(1, PARTS + 1):
        url = ask("upload", key=key, uploadId=upload_id, partNumber=number)["presigned_url"]
        answer = requests.put(url, data=data, timeout=600)
        answer.raise_for_status()
        parts.append({"PartNumber": number, "ETag": answer.headers["ETag"]})
    ask("complete", key=key, uploadId=upload_id, parts=parts)
    return guid


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"Process {pid} has no memory.")
