"""The metadata service as Gen3Metadata drives it, and what else its clients may send."""

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
import sqlalchemy as sa
from tests.index_service import PROJECT
from tests.tokens import bearer
from tests.waiting import eventually

from commonshub.core.storage import Location, Storage
from commonshub.index import metadata

Ask = Callable[..., requests.Response]


@pytest.fixture(autouse=True)
def clean_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GEN3SDK_MAX_RETRIES", "1")


@pytest.fixture
def client(url: str, token: Callable[..., str], clean_home: None) -> Any:
    from gen3.auth import Gen3Auth
    from gen3.metadata import Gen3Metadata

    return Gen3Metadata(auth_provider=Gen3Auth(endpoint=url, access_token=token("admin")))


@pytest.fixture
def ask(url: str, token: Callable[..., str]) -> Ask:
    def send(method: str, path: str, user: str | None = None, **options: Any) -> requests.Response:
        headers = bearer(token(user)) if user else {}
        return requests.request(method, url + path, headers=headers, timeout=60, **options)

    return send


@pytest.fixture
def guid() -> str:
    return f"dg.TEST/{uuid.uuid4()}"


def failing(status: int) -> Any:
    return pytest.raises(requests.HTTPError, match=f"^{status} ")


# -- Gen3Metadata, method by method -------------------------------------------------------------------------------


def test_status_and_version(client: Any) -> None:
    assert client.is_healthy()
    assert client.get_version()


def test_an_entry_is_created_read_updated_and_deleted(client: Any, guid: str) -> None:
    data = {"a": 1, "b": {"c": ["x", None, 1.5]}}
    assert client.create(guid, data) == data == client.get(guid)
    with failing(409):
        client.create(guid, {"other": 1})
    assert client.create(guid, {"a": 2}, overwrite=True) == {"a": 2}
    assert client.update(guid, {"b": 3}) == {"b": 3} == client.get(guid)
    assert client.delete(guid) == {"b": 3}
    for again in (client.get, client.delete, lambda name: client.update(name, {})):
        with failing(404):
            again(guid)


def test_the_same_asynchronously(client: Any, guid: str) -> None:
    async def loop() -> list[Any]:
        return [
            await client.async_create(guid, {"a": 1}, aliases=["async-" + guid]),
            await client.async_update(guid, {"b": 2}, merge=True),
            await client.async_get(guid),
            await client.async_get("async-" + guid),
        ]

    merged = {"a": 1, "b": 2}
    assert asyncio.run(loop()) == [{"a": 1}, merged, merged, merged]
    # The client looks for the answer after it has closed it: it may be there still, or not.
    with contextlib.suppress(aiohttp.ClientConnectionError):
        assert asyncio.run(client.async_get_aliases(guid))["aliases"] == ["async-" + guid]


def test_many_entries_are_written_at_once(client: Any, guid: str) -> None:
    given = [{"guid": f"{guid}-{number}", "data": {"n": number}} for number in range(3)]
    names = [each["guid"] for each in given]
    nothing: dict[str, list[str]] = {"created": [], "updated": [], "conflict": [], "bad_input": []}
    assert client.batch_create(given[:2]) == nothing | {"created": names[:2]}
    assert client.batch_create(given, overwrite=False) == nothing | {"created": names[2:], "conflict": names[:2]}
    changed = [{"guid": names[0], "data": {"n": 7}}, {"guid": "upload", "data": {}}]
    assert client.batch_create(changed) == nothing | {"updated": names[:1], "bad_input": ["upload"]}
    assert [client.get(name)["n"] for name in names] == [7, 1, 2]


def test_aliases_are_given_read_replaced_and_taken_away(client: Any, guid: str) -> None:
    one, two, three = (f"{uuid.uuid4()}/{number}" for number in range(3))
    client.create(guid, {"a": 1}, aliases=[one])
    assert client.get(one) == {"a": 1}
    with failing(409):
        client.create_aliases(guid, [two])
    assert client.update_aliases(guid, [two], merge=True)["aliases"] == sorted([one, two])
    assert client.update_aliases(guid, [three])["aliases"] == [three]
    assert client.get_aliases(guid) == {"guid": guid, "aliases": [three]}
    client.delete_alias(guid, three)
    with failing(404):
        client.get(three)
    assert client.create_aliases(guid, [one, two])["aliases"] == sorted([one, two])
    client.delete_aliases(guid)
    assert client.get_aliases(guid)["aliases"] == []
    with failing(404):
        client.delete_aliases(guid)


def test_aliases_asynchronously(client: Any, guid: str) -> None:
    one, two = (str(uuid.uuid4()) for _ in range(2))
    client.create(guid, {})

    async def loop() -> list[list[str]]:
        made = await client.async_create_aliases(guid, [one])
        both = await client.async_update_aliases(guid, [two], merge=True)
        await client.async_delete_alias(guid, one)
        return [made["aliases"], both["aliases"]]

    assert asyncio.run(loop()) == [[one], sorted([one, two])]
    assert client.get_aliases(guid)["aliases"] == [two]
    # The client deletes them, and then stumbles over its own reading of the answer, or over its second try.
    with pytest.raises(Exception, match=r"await|404|code property"):
        asyncio.run(client.async_delete_aliases(guid))
    assert client.get_aliases(guid)["aliases"] == []


def test_paths_to_be_indexed_are_noted(client: Any) -> None:
    path = f"a.{uuid.uuid4()}"
    assert client.create_index_key_path(path) == path
    assert path in client.get_index_key_paths()
    with failing(409):
        client.create_index_key_path(path)
    assert client.delete_index_key_path(path).status_code == 204
    assert path not in client.get_index_key_paths()
    with failing(404):
        client.delete_index_key_path(path)


def test_entries_are_found_by_their_values(client: Any) -> None:
    kind = uuid.uuid4().hex
    entries = {
        f"{kind}-{name}": {"kind": kind, **data}
        for name, data in {
            "a": {"a": {"b": {"c": 3, "d": 4}}},
            "b": {"a": {"b": {"c": 33, "d": 4}}},
            "c": {"a": {"b": {"c": "3", "d": 4, "e": 5}}},
            "d": {"a": {"b": {"c": 3}}},
            "e": {"a": {"b": {"c": "333", "d": 4}}},
            "f": {"t": True, "s": "*", "x": 1.5, "n": None, "schlüssel": "ä", "{,": {"": "q"}},
        }.items()
    }
    client.batch_create([{"guid": guid, "data": data} for guid, data in entries.items()])

    def found(query: str) -> str:
        return "".join(guid[-1] for guid in client.query(f"kind={kind}&{query}", limit=100))

    assert found("a.b.c=3&a.b.c=33&a.b.d=4") == "abc"
    assert found("a.b.c=3") == "acd"
    assert found("a.b.e=*") == "c"
    assert found("t=true") == found("t=*") == found("s=\\*") == found("x=1.5") == found("n=*") == "f"
    assert found("t=True") == found("n=null") == found("s=1.*") == found("a.b=3") == ""
    assert found("{,.=q") == found("{,.=*") == "f"
    assert found("schl%C3%BCssel=%C3%A4") == "f"
    assert client.query(f"kind={kind}", return_full_metadata=True, limit=6) == entries
    assert client.query(f"kind={kind}", limit=2, offset=3) == [f"{kind}-d", f"{kind}-e"]


# -- beyond the client --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", [None, "member", "admin"])
@pytest.mark.parametrize("prefix", ["/mds", "/mds-admin"])
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/metadata", [], 201),
        ("POST", "/metadata/{new}", {}, 201),
        ("PUT", "/metadata/{guid}", {}, 200),
        ("DELETE", "/metadata/{guid}", None, 200),
        ("POST", "/metadata/{guid}/aliases", {"aliases": []}, 201),
        ("PUT", "/metadata/{guid}/aliases", {"aliases": []}, 201),
        ("DELETE", "/metadata/{guid}/aliases", None, 204),
        ("DELETE", "/metadata/{guid}/aliases/{guid}", None, 204),
        ("POST", "/metadata_index/{new}", None, 201),
    ],
)
def test_only_who_has_the_gateways_permission_may_change_anything(
    ask: Ask, client: Any, guid: str, user: str | None, prefix: str, method: str, path: str, body: Any, status: int
) -> None:
    aliases = [] if method == "POST" else [guid]
    client.create(guid, {"a": 1}, aliases=aliases)
    # A name without a slash, as a path to be indexed must be.
    name = path.format(guid=guid, new=uuid.uuid4())
    answer = ask(method, prefix + name, user, json=body)
    assert answer.status_code == {None: 401, "member": 403}.get(user, status), answer.text
    if user != "admin":
        assert client.get(guid) == {"a": 1}
    assert ask("GET", f"{prefix}/metadata/{guid}").status_code in (200, 404)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/metadata/x", [], 400),
        ("POST", "/metadata/x", {"a": "b\0c"}, 400),
        ("POST", "/metadata/x", "{", 400),
        ("POST", "/metadata/upload", {}, 400),
        ("POST", f"/metadata/{'x' * 4000}", {}, 400),
        ("POST", "/metadata/x?overwrite=maybe", {}, 400),
        ("PUT", "/metadata/nowhere", {}, 404),
        ("POST", "/metadata", {}, 400),
        ("POST", "/metadata", [1], 400),
        ("POST", "/metadata", [{"guid": "x"}], 400),
        ("POST", "/metadata", [{"guid": 1, "data": {}}], 400),
        ("POST", "/metadata", [{"guid": "x", "data": {}}] * 10_001, 413),
        ("POST", "/metadata/nowhere/aliases", {"aliases": ["a"]}, 404),
        ("PUT", "/metadata/nowhere/aliases", {"aliases": ["a"]}, 404),
        ("PUT", "/metadata/nowhere/aliases", {"aliases": "a"}, 400),
        ("PUT", "/metadata/nowhere/aliases", [], 400),
        ("PUT", "/metadata/nowhere/aliases", {"aliases": [""]}, 400),
        ("DELETE", "/metadata/nowhere", None, 404),
        ("DELETE", "/metadata/nowhere/aliases/a", None, 404),
        ("GET", "/metadata/nowhere/aliases", None, 404),
        ("GET", "/metadata?limit=x", None, 400),
        ("GET", "/metadata?limit=-1", None, 400),
        ("GET", "/metadata?offset=99999999999999999999", None, 400),
        ("GET", "/metadata?data=maybe", None, 400),
        ("GET", "/metadata?a=%00", None, 400),
        ("GET", "/metadata?a%00=1", None, 400),
        ("GET", "/metadata?%ff=1", None, 400),
        ("GET", "/metadata?=1", None, 200),
        ("GET", "/metadata?a..b='%22&c=1e400&d=-", None, 200),
        ("GET", "/objects/nowhere", None, 404),
        ("GET", "/objects/nowhere/latest", None, 404),
        ("GET", "/objects/nowhere/download", None, 404),
        ("DELETE", "/objects/nowhere", None, 404),
        ("DELETE", "/objects/nowhere?delete_file_locations", None, 404),
        ("POST", "/objects", [], 400),
        ("POST", "/objects", {}, 400),
        ("POST", "/objects", {"file_name": 7}, 400),
        ("POST", "/objects", {"file_name": "../x"}, 400),
        ("POST", "/objects", {"file_name": "x", "authz": "/programs"}, 400),
        ("POST", "/objects", {"file_name": "x", "authz": ["programs"]}, 400),
        ("POST", "/objects", {"file_name": "x", "authz": {"paths": []}}, 400),
        ("POST", "/objects", {"file_name": "x", "metadata": ["a"]}, 400),
        ("POST", "/objects", {"file_name": "x", "metadata": {"a": "\0"}}, 400),
        ("POST", "/objects", {"file_name": "x", "aliases": "a"}, 400),
        ("POST", "/objects", {"file_name": "x", "aliases": [""]}, 400),
    ],
    ids=lambda value: str(value)[:50],
)
def test_bad_input_is_named_and_changes_nothing(ask: Ask, method: str, path: str, body: Any, status: int) -> None:
    before = ask("GET", "/mds/metadata?limit=2000&data=true").json()
    options = {"data": body} if isinstance(body, str) else {"json": body}
    answer = ask(method, f"/mds-admin{path}", "admin", **options)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.json()["error"]
    assert ask("GET", "/mds/metadata?limit=2000&data=true").json() == before


def test_an_alias_belongs_to_one_entry(client: Any, guid: str) -> None:
    alias = str(uuid.uuid4())
    client.create(guid, {"a": 1}, aliases=[alias])
    client.create(guid + "x", {"b": 1})
    for give in (client.create_aliases, client.update_aliases):
        with failing(409):
            give(guid + "x", [alias])
    assert client.get(alias) == {"a": 1}
    client.delete(guid)
    assert client.create_aliases(guid + "x", [alias])["aliases"] == [alias]


def test_one_name_twice_in_a_batch_ends_as_if_written_in_turn(ask: Ask, guid: str) -> None:
    body = [{"guid": guid, "data": {"n": n}} for n in (1, 2)]
    first = ask("POST", "/mds-admin/metadata?overwrite=False", "admin", json=body).json()
    assert (first["created"], first["conflict"]) == ([guid], [guid])
    assert ask("GET", f"/mds/metadata/{guid}").json() == {"n": 1}
    ask("POST", "/mds-admin/metadata", "admin", json=body)
    assert ask("GET", f"/mds/metadata/{guid}").json() == {"n": 2}


def test_a_large_limit_is_taken_for_the_largest(ask: Ask, running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    body = [{"guid": f"{uuid.uuid4()}", "data": {}} for _ in range(3)]
    ask("POST", "/mds-admin/metadata", "admin", json=body)
    monkeypatch.setattr(running.app, "max_metadata", 2)
    assert len(ask("GET", "/mds/metadata?limit=100000").json()) == 2


def test_an_object_is_its_record_with_its_metadata(ask: Ask, client: Any, running: Any) -> None:
    did = str(uuid.uuid4())
    url = f"s3://commons/{did}/f"
    record = {"size": 4, "hashes": {"md5": "0" * 32}, "form": "object", "did": did, "urls": [url], "authz": [PROJECT]}
    ask("POST", "/index/index", "admin", json=record)
    place = Location("commons", f"{did}/f")
    requests.put(Storage(running.app.storage_settings).presign("PUT", place, 60), data=b"data").raise_for_status()
    client.create(did, {"a": 1})
    for path in (did, f"{did}/latest"):
        found = ask("GET", f"/mds/objects/{path}").json()
        assert (found["record"]["did"], found["metadata"]) == (did, {"a": 1})
    answer = ask("GET", f"/mds/objects/{did}/download", "member")
    assert requests.get(answer.json()["url"], timeout=60).content == b"data"
    assert ask("GET", f"/mds/objects/{did}/download").status_code == 401
    for user, status in (("uploader", 403), (None, 401), ("member", 204), ("member", 403)):
        assert ask("DELETE", f"/mds/objects/{did}", user).status_code == status
    assert [ask("GET", path + did).status_code for path in ("/index/index/", "/mds/metadata/")] == [404, 404]


def test_metadata_without_a_record_are_an_object_too(ask: Ask, client: Any, guid: str) -> None:
    client.create(guid, {"a": 1})
    assert ask("GET", f"/mds/objects/{guid}").json() == {"record": {}, "metadata": {"a": 1}}
    assert ask("DELETE", f"/mds/objects/{guid}", "admin").status_code == 204
    assert ask("GET", f"/mds/metadata/{guid}").status_code == 404


def test_a_search_by_value_reads_an_index(running: Any) -> None:
    plans: list[str] = []

    def explain(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        cursor.execute("explain " + statement, parameters)
        plans.append("\n".join(row[0] for row in cursor.fetchall()))

    with running.app.database.engine.begin() as connection:
        entries = {f"plan-{number}": {"a": {"b": number}} for number in range(500)}
        metadata.write(connection, "index", entries, overwrite=True)
        connection.execute(sa.text("set local enable_seqscan = off"))
        connection.execute(sa.text("set local enable_indexscan = off"))
        sa.event.listen(connection, "before_cursor_execute", explain)
        found = metadata.search_guids(connection, "index", metadata.Query({("a", "b"): ["7"]}, 10, 0))
        sa.event.remove(connection, "before_cursor_execute", explain)
        connection.rollback()
    assert found == ["plan-7"]
    assert "ix_metadata_data_gin" in plans[0]


# -- Gen3Object ---------------------------------------------------------------------------------------------------


@pytest.fixture
def objects(url: str, token: Callable[..., str], clean_home: None) -> Callable[[str], Any]:
    from gen3.auth import Gen3Auth
    from gen3.object import Gen3Object

    return lambda user: Gen3Object(Gen3Auth(endpoint=url, access_token=token(user)))


def verified(ask: Ask, guid: str) -> dict[str, Any]:
    def known() -> dict[str, Any] | None:
        found: dict[str, Any] = ask("GET", f"/index/index/{guid}").json()
        return found if found["size"] is not None else None

    return eventually(known) or {}


def count(running: Any) -> tuple[int, ...]:
    """Records, expected uploads, entries of metadata and their aliases."""

    def read(connection: sa.Connection) -> tuple[int, ...]:
        names = ("record", "blob", "metadata", "metadata_alias")
        return tuple(connection.execute(sa.text(f'select count(*) from "index".{name}')).scalar_one() for name in names)

    found: tuple[int, ...] = running.app.database.call(read)
    return found


@pytest.mark.parametrize(
    ("user", "authz"),
    [("member", [PROJECT]), ("member", {"version": "0", "resource_paths": [PROJECT]}), ("uploader", [])],
    ids=["paths", "with-version", "own"],
)
def test_an_object_is_made_with_its_metadata_and_uploaded(
    ask: Ask, objects: Callable[[str], Any], user: str, authz: Any
) -> None:
    alias = f"alias/{uuid.uuid4().hex}"
    guid, upload_url = objects(user).create_object("x y.bin", authz, {"a": {"b": 1}}, [alias, alias])
    requests.put(upload_url, data=b"the bytes", timeout=60).raise_for_status()
    record = verified(ask, guid)
    paths = authz["resource_paths"] if isinstance(authz, dict) else authz
    assert (record["authz"], record["uploader"]) == (paths, None if paths else user)
    assert (record["size"], record["file_name"]) == (9, "x y.bin")
    for name in (guid, alias):
        found = ask("GET", f"/mds/objects/{name}").json()
        assert (found["record"]["did"], found["metadata"]) == (guid, {"a": {"b": 1}})
    assert ask("GET", f"/mds/metadata/{guid}/aliases").json()["aliases"] == [alias]
    answer = ask("GET", f"/mds/objects/{alias}/download", user)
    assert requests.get(answer.json()["url"], timeout=60).content == b"the bytes"


def test_an_object_needs_neither_metadata_nor_aliases(ask: Ask, objects: Callable[[str], Any]) -> None:
    guid, _ = objects("uploader").create_object("x", [])
    assert ask("GET", f"/mds/metadata/{guid}").json() == {}


def test_an_object_is_deleted_with_its_bytes_and_its_metadata(
    ask: Ask, objects: Callable[[str], Any], running: Any
) -> None:
    gen3 = objects("uploader")
    guid, upload_url = gen3.create_object("x", [], {"a": 1}, [uuid.uuid4().hex])
    requests.put(upload_url, data=b"the bytes", timeout=60).raise_for_status()
    verified(ask, guid)
    place = Location("commons", f"{guid}/x")
    with failing(403):
        objects("member").delete_object(guid, delete_file_locations=True)
    storage = Storage(running.app.storage_settings)
    assert storage.head(place)
    gen3.delete_object(guid, delete_file_locations=True)
    assert storage.head(place) is None
    assert [ask("GET", path + guid).status_code for path in ("/index/index/", "/mds/metadata/")] == [404, 404]


def test_an_object_is_made_whole_or_not_at_all(ask: Ask, client: Any, running: Any, guid: str) -> None:
    taken = uuid.uuid4().hex
    client.create(guid, {"a": 1}, aliases=[taken])
    record = {"size": 4, "hashes": {"md5": "0" * 32}, "form": "object", "urls": []}
    other = ask("POST", "/index/index", "admin", json=record).json()["did"]
    before = count(running)
    for user, body, status in (
        ("uploader", {"aliases": [uuid.uuid4().hex, taken]}, 409),
        ("uploader", {"authz": [PROJECT]}, 403),
        ("member", {}, 403),
        (None, {}, 401),
        ("admin", {"aliases": [other]}, 409),
        # What somebody else is going to make could be described beforehand.
        ("uploader", {"aliases": [str(uuid.uuid4())]}, 403),
    ):
        answer = ask("POST", "/mds/objects", user, json={"file_name": "x", "metadata": {"a": 1}, **body})
        assert answer.status_code == status, answer.text
        assert answer.json()["error"]
    assert count(running) == before


def test_a_token_that_is_not_for_data_makes_no_object(url: str, token: Callable[..., str], running: Any) -> None:
    before = count(running)
    headers = bearer(token("uploader", scope=["openid", "user"]))
    answer = requests.post(f"{url}/mds/objects", headers=headers, json={"file_name": "x"}, timeout=60)
    assert (answer.status_code, "scope data" in answer.text) == (403, True)
    assert count(running) == before
