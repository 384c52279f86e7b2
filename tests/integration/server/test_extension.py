"""The extension in a real Jupyter server."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HUB_TOKEN = "hub-token-5f2a"


async def until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.02)


def extension_of(app: Any) -> Any:
    (extension,) = app.extension_manager.extension_apps["commonshub.server"]
    return extension


@pytest.fixture
def workspace(start_server: Callable[..., Any], door: Any) -> Callable[..., Any]:
    """Start a workspace of the commons behind the door."""

    async def start(config: dict[str, Any] | None = None, **environ: str) -> Any:
        given = {"COMMONSHUB_ORIGIN": door.url, "JUPYTERHUB_API_TOKEN": HUB_TOKEN, **environ}
        return await start_server({"retry_min_s": 0.05, **(config or {})}, **given)

    return start


async def test_a_workspace_gets_a_key_with_its_hub_token(workspace: Callable[..., Any], door: Any) -> None:
    app = await workspace()
    file = Path.home() / ".gen3" / "workspace.json"
    await until(file.exists)
    assert door.asked == [f"token {HUB_TOKEN}"]
    assert set(json.loads(file.read_text())) == {"api_key", "key_id"}
    await app.cleanup_extensions()


async def test_nobody_else_can_read_the_key(workspace: Callable[..., Any]) -> None:
    app = await workspace()
    file = Path.home() / ".gen3" / "workspace.json"
    await until(file.exists)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    await app.cleanup_extensions()


async def test_kernels_inherit_where_the_key_is(workspace: Callable[..., Any], door: Any) -> None:
    app = await workspace()
    assert os.environ["GEN3_API_KEY"] == str(Path.home() / ".gen3" / "workspace.json")
    assert os.environ["GEN3_ENDPOINT"] == door.url.removeprefix("http://")
    await app.cleanup_extensions()


async def test_a_key_that_the_user_chose_is_left_alone(workspace: Callable[..., Any]) -> None:
    app = await workspace(GEN3_API_KEY="/mine.json")
    assert os.environ["GEN3_API_KEY"] == "/mine.json"
    await app.cleanup_extensions()


async def test_named_servers_keep_their_keys_apart(workspace: Callable[..., Any]) -> None:
    app = await workspace(JUPYTERHUB_SERVER_NAME="big/../one")
    await until((Path.home() / ".gen3" / "workspace-big_.._one.json").exists)
    await app.cleanup_extensions()


async def test_the_key_is_renewed_before_it_ends(workspace: Callable[..., Any], door: Any) -> None:
    door.life_s = 0.4
    app = await workspace()
    await until(lambda: len(door.asked) >= 3)
    assert extension_of(app).keeper.status.state == "ready"
    await app.cleanup_extensions()


async def test_a_commons_that_restarts_is_asked_again(workspace: Callable[..., Any], door: Any) -> None:
    door.status = 503
    app = await workspace()
    keeper = extension_of(app).keeper
    await until(lambda: keeper.status.failures >= 2)
    door.status = 200
    await until(lambda: keeper.status.state == "ready")
    assert (keeper.status.failures, keeper.status.error) == (0, None)
    await app.cleanup_extensions()


async def test_the_key_goes_when_the_server_stops(workspace: Callable[..., Any]) -> None:
    app = await workspace()
    file = Path.home() / ".gen3" / "workspace.json"
    await until(file.exists)
    await app.cleanup_extensions()
    assert not file.exists()


@pytest.mark.parametrize("status", [200, 401, 503])
async def test_no_token_is_ever_logged(
    workspace: Callable[..., Any],
    door: Any,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    status: int,
) -> None:
    door.status = status
    with caplog.at_level("DEBUG"):
        app = await workspace()
        await until(lambda: bool(door.asked))
        await asyncio.sleep(0.1)
        await app.cleanup_extensions()
    logged = caplog.text + "".join(capsys.readouterr())
    assert HUB_TOKEN not in logged
    assert "e30." not in logged


@pytest.mark.parametrize(
    "given", [{}, {"JUPYTERHUB_API_TOKEN": HUB_TOKEN}, {"COMMONSHUB_ORIGIN": "http://127.0.0.1:9"}]
)
async def test_outside_a_workspace_nothing_happens_and_the_log_says_so(
    start_server: Callable[..., Any], capsys: pytest.CaptureFixture[str], given: dict[str, str]
) -> None:
    app = await start_server(**given)
    assert extension_of(app).keeper is None
    assert "no workspace of a commons" in capsys.readouterr().err
    assert "GEN3_API_KEY" not in os.environ
    await app.cleanup_extensions()


async def test_newcomers_find_the_notebook(workspace: Callable[..., Any], jp_root_dir: Path) -> None:
    (jp_root_dir / "pd").mkdir()
    app = await workspace()
    assert json.loads((jp_root_dir / "pd" / "Start here.ipynb").read_text())["nbformat"] == 4
    await app.cleanup_extensions()
