"""Every public method of the clients that index and submission are for is called by a contract test.

A client is recognized by the names that the tests have for it. A new release that brings another method, class or
function needs another test.
"""

import ast
import importlib
import inspect
import pkgutil
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

CONTRACT = Path(__file__).parents[1] / "contract"
INDEXING = "gen3.tools.indexing"
MANIFESTS = ("index/test_tools", "index/test_manifests", "auth/test_data_sdk")


class Client(NamedTuple):
    """A module of a client.

    Parameters
    ----------
    tests
        Files that try it.
    receivers
        What these call an instance of each of its classes.
    local
        What asks no server anything.
    """

    tests: tuple[str, ...]
    receivers: dict[str, str] = {}
    local: frozenset[str] = frozenset()


HELPERS = frozenset(
    ["json_dumps", "handle_error", "timeout_wrapper", "retry_and_timeout_wrapper", "recursive_sort", "maybe_sync"]
)
CLIENTS = {
    "indexclient.client": Client(
        ("index/test_clients",), {"IndexClient": "client", "Document": "document"}, HELPERS | {"IndexClient.url_for"}
    ),
    "drsclient.client": Client(
        ("index/test_bundles",), {"DrsClient": "drs"}, HELPERS | {"DrsClient.url_for", "SyncClient.request"}
    ),
    "gen3.index": Client(("index/test_clients",), {"Gen3Index": "index"}),
    "gen3.file": Client(("auth/test_data_sdk",), {"Gen3File": "files"}),
    "gen3.object": Client(("index/test_metadata",), {"Gen3Object": "objects"}),
    "gen3.submission": Client(("submission/test_gen3_submission",), {"Gen3Submission": "sub"}),
    "gen3.metadata": Client(("index/test_metadata",), {"Gen3Metadata": "client"}),
    "gen3.tools.bundle.ingest_manifest": Client(("index/test_bundles",), local=frozenset({"validate_hashes"})),
    f"{INDEXING}.download_manifest": Client(MANIFESTS),
    f"{INDEXING}.index_manifest": Client(MANIFESTS),
    f"{INDEXING}.merge_manifests": Client(MANIFESTS),
    f"{INDEXING}.post_indexing_validation": Client(MANIFESTS, {"Record": "record", "RecordParser": "parser"}),
    f"{INDEXING}.validate_manifest_format": Client(MANIFESTS),
    f"{INDEXING}.verify_manifest": Client(MANIFESTS),
}


@cache
def imported(name: str) -> ModuleType:
    with warnings.catch_warnings():
        # Some sources of the SDK have escapes that Python no longer likes.
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def public(module: ModuleType) -> set[str]:
    """Functions and, as ``Class.method``, methods that are defined in a module."""
    own = {name: each for name, each in vars(module).items() if getattr(each, "__module__", "") == module.__name__}
    functions = {name for name, each in own.items() if inspect.isfunction(each)}
    classes = {name: each for name, each in own.items() if inspect.isclass(each)}
    methods = {
        f"{name}.{method}" for name, each in classes.items() for method in vars(each) if callable(vars(each)[method])
    }
    return {name for name in functions | methods if not any(part.startswith("_") for part in name.split("."))}


def called(tree: ast.Module) -> set[str]:
    """Functions by their names, and methods as ``receiver.method``; a receiver may be a call that makes it."""
    found = set()
    for call in (node.func for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if isinstance(call, ast.Name):
            found.add(call.id)
        elif isinstance(call, ast.Attribute):
            owner = call.value.func if isinstance(call.value, ast.Call) else call.value
            found |= {call.attr, f"{owner.id}.{call.attr}"} if isinstance(owner, ast.Name) else {call.attr}
    return found


def wanted(client: Client, name: str) -> str:
    """The call that is looked for."""
    kind, dot, method = name.rpartition(".")
    return f"{client.receivers.get(kind, kind)}.{method}" if dot else name


@pytest.mark.parametrize("name", CLIENTS)
def test_every_public_method_is_called_by_a_contract_test(name: str) -> None:
    client = CLIENTS[name]
    calls = {each for file in client.tests for each in called(ast.parse((CONTRACT / f"{file}.py").read_text()))}
    assert sorted(each for each in public(imported(name)) - client.local if wanted(client, each) not in calls) == []


def test_every_tool_for_manifests_has_its_tests() -> None:
    path = imported(INDEXING).__path__
    assert {f"{INDEXING}.{module.name}" for module in pkgutil.iter_modules(path)} <= CLIENTS.keys()


@pytest.mark.parametrize(
    ("source", "calls"),
    [
        ("client.get('x')", {"get", "client.get"}),
        ("objects('member').create_object()", {"objects", "create_object", "objects.create_object"}),
        ("client.get", set()),
        ("answer.json()['x'].get()", {"json", "answer.json", "get"}),
        ("index_object_manifest(url)", {"index_object_manifest"}),
    ],
)
def test_calls_are_recognized(source: str, calls: set[str]) -> None:
    assert called(ast.parse(source)) == calls


def test_what_is_public_is_recognized() -> None:
    module: Any = ModuleType("client")
    exec("class A:\n  def b(self): ...\n  def _c(self): ...\nclass _D:\n  def e(self): ...\ndef f(): ...", vars(module))
    assert public(module) == {"A.b", "f"}
