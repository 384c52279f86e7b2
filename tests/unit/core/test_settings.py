"""Settings that would do harm later are refused at start."""

from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

from commonshub.core.settings import LimitSettings, StorageSettings


@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.0/33", ""])
def test_a_proxy_is_named_by_address_or_network(text: str) -> None:
    with pytest.raises(TraitError, match=r"proxy_addresses.*is no address or network"):
        LimitSettings(config=Config(LimitSettings={"proxy_addresses": ["10.0.0.0/8", text]}))


def test_addresses_and_networks_are_taken() -> None:
    taken = ["10.0.0.1", "10.0.0.1/8", "fd00::/8"]
    assert LimitSettings(config=Config(LimitSettings={"proxy_addresses": taken})).proxy_addresses == taken


@pytest.mark.parametrize("paths", ["/programs/*", "*", [1], None])
def test_a_bucket_is_tied_to_a_list_of_paths(paths: Any) -> None:
    with pytest.raises(TraitError, match="bucket_resources"):
        StorageSettings(config=Config(StorageSettings={"bucket_resources": {"s3://proj": paths}}))


def test_a_list_of_paths_is_taken() -> None:
    tied = {"s3://proj": ["/programs/a", "*"]}
    assert StorageSettings(config=Config(StorageSettings={"bucket_resources": tied})).bucket_resources == tied
