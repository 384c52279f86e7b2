"""The extension's own page, asked over HTTP."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError


@pytest.fixture
def jp_server_config(door: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A workspace of the commons behind the door; it overrides the fixture of that name."""
    monkeypatch.setenv("COMMONSHUB_ORIGIN", door.url)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "hub-token-5f2a")
    monkeypatch.setenv("GEN3_API_KEY", "set by the extension otherwise")
    monkeypatch.setenv("GEN3_ENDPOINT", "set by the extension otherwise")
    return {"ServerApp": {"jpserver_extensions": {"commonshub.server": True}}}


async def test_status_tells_the_owner_without_telling_the_key(
    jp_serverapp: Any, jp_fetch: Callable[..., Any], door: Any
) -> None:
    (extension,) = jp_serverapp.extension_manager.extension_apps["commonshub.server"]
    await extension.keeper._round()
    answer = await jp_fetch("commonshub", "status")
    body = json.loads(answer.body)
    assert (body["workspace"], body["state"], body["origin"]) == (True, "ready", door.url)
    assert "e30." not in answer.body.decode()
    await extension.stop_extension()


async def test_status_is_closed_to_others(jp_serverapp: Any, jp_fetch: Callable[..., Any]) -> None:
    with pytest.raises(HTTPClientError) as error:
        await jp_fetch("commonshub", "status", headers={"Authorization": "token wrong"})
    assert error.value.code == 403
