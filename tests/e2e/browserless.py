"""A person at the hub without a browser: sign in, start a workspace, run a notebook in it."""

import asyncio
import json
import uuid
from functools import partial
from typing import Any
from urllib.parse import quote

import requests
from tests.waiting import eventually
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect


class Person:
    """Somebody signed in at the hub.

    Parameters
    ----------
    origin
        Scheme, host and port of the commons.
    """

    def __init__(self, origin: str, username: str, password: str) -> None:
        self.origin, self.username = origin, username
        self.hub = f"{origin}/jupyter/hub"
        self.session = requests.Session()
        self.session.get(f"{self.hub}/login", timeout=30)
        answer = self.session.post(
            f"{self.hub}/login?_xsrf={self._xsrf()}", data={"username": username, "password": password}, timeout=30
        )
        assert "/login" not in answer.url, f"sign-in failed: {answer.status_code} {answer.url}"
        answer = self.session.post(
            f"{self.hub}/api/users/{username}/tokens",
            headers={"X-XSRFToken": self._xsrf(), "Referer": f"{self.hub}/home"},
            json={"note": "test"},
            timeout=30,
        )
        assert answer.ok, answer.text
        self.headers = {"Authorization": f"token {answer.json()['token']}"}

    def _xsrf(self) -> str:
        return next(cookie.value or "" for cookie in self.session.cookies if cookie.name == "_xsrf")

    @property
    def server(self) -> str:
        return f"{self.origin}/jupyter/user/{self.username}"

    def start_workspace(self, timeout_s: float = 90) -> None:
        """Start the person's server and wait until it answers."""
        url = f"{self.hub}/api/users/{self.username}"
        requests.post(f"{url}/server", headers=self.headers, timeout=90).raise_for_status()
        ask = partial(requests.get, url, headers=self.headers, timeout=30)
        eventually(lambda: ask().json()["servers"].get("", {}).get("ready"), timeout_s)

    def stop_workspace(self) -> None:
        requests.delete(f"{self.hub}/api/users/{self.username}/server", headers=self.headers, timeout=60)

    def notebook(self, path: str) -> dict[str, Any]:
        """Content of a notebook in the workspace."""
        answer = requests.get(f"{self.server}/api/contents/{quote(path)}", headers=self.headers, timeout=30)
        assert answer.ok, answer.text
        content: dict[str, Any] = answer.json()["content"]
        return content

    def execute(self, sources: list[str], folder: str = "", timeout_s: float = 120) -> list[str]:
        """Run cells in order in one new kernel of the workspace; the text that each wrote.

        Raises
        ------
        AssertionError
            A cell raised: the message has its source and traceback.
        """
        return asyncio.run(self._execute(sources, folder, timeout_s))

    async def _execute(self, sources: list[str], folder: str, timeout_s: float) -> list[str]:
        answer = requests.post(
            f"{self.server}/api/kernels", headers=self.headers, json={"name": "python3", "path": folder}, timeout=60
        )
        assert answer.ok, answer.text
        kernel = answer.json()["id"]
        url = f"{self.server.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels"
        channel = await websocket_connect(HTTPRequest(url, headers=self.headers), max_message_size=2**26)
        try:
            return [await asyncio.wait_for(self._cell(channel, source), timeout_s) for source in sources]
        finally:
            channel.close()
            # The loop ends with us: until the other side has closed too, the connection would be left open.
            while await channel.read_message() is not None:
                pass
            requests.delete(f"{self.server}/api/kernels/{kernel}", headers=self.headers, timeout=60)

    async def _cell(self, channel: Any, source: str) -> str:
        number = uuid.uuid4().hex
        header = {"msg_id": number, "msg_type": "execute_request", "username": "", "session": number, "version": "5.4"}
        content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        await channel.write_message(json.dumps(message))
        written = []
        while True:
            raw = await channel.read_message()
            assert raw is not None, "the kernel's channel was closed"
            answer = json.loads(raw)
            if answer["parent_header"].get("msg_id") != number:
                continue
            kind, body = answer["msg_type"], answer["content"]
            if kind == "stream":
                written.append(body["text"])
            elif kind in ("execute_result", "display_data"):
                written.append(body["data"].get("text/plain", ""))
            elif kind == "error":
                raise AssertionError(f"{source}\n{''.join(written)}\n" + "\n".join(body["traceback"]))
            elif kind == "status" and body["execution_state"] == "idle":
                return "".join(written)


def code_cells(notebook: dict[str, Any]) -> list[str]:
    """Sources of a notebook's code cells."""
    return [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
