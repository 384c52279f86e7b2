"""The configuration that `commonshub nginx-config` prints, in a real nginx before a whole commons."""

import asyncio
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.front import MAIN, Front, echo, front, headers_of, nginx
from tests.openid_service import ACCOUNTS, most_groups, provider_package, start_provider
from tornado import websocket
from traitlets.config import Config

from commonshub.hub.nginx import Front as Before
from commonshub.hub.nginx import configuration

__all__ = ["echo", "front", "nginx", "provider_package", "start_provider"]

HOME = "/jupyter/hub/home"
MANY = {"email": "many@example.org", "email_verified": True, "preferred_username": "many"}


def test_a_visitor_signs_in_to_the_hub_and_to_the_portal(front: Front) -> None:
    browser = front.browser()
    answer = browser.follow(HOME)
    assert answer.status_code == 200, answer.text
    assert "alice@example.org" in answer.text
    profile = browser.follow("/portal/login?next=/portal/profile")
    assert profile.status_code == 200, profile.text
    assert "alice@example.org" in profile.text


def test_a_user_with_as_many_groups_as_can_be_gets_through(front: Front) -> None:
    front.provider.accounts({**ACCOUNTS, "s-many": {**MANY, "groups": most_groups()}})
    answer = front.browser().follow(HOME, account="s-many")
    assert answer.status_code == 200, answer.text
    assert MANY["email"] in answer.text


def test_programs_with_a_token_need_no_sign_in(front: Front) -> None:
    answer = requests.get(f"{front.origin}/jupyter/hub/api/", timeout=10)
    assert answer.json()["version"]
    headers = {"Authorization": "token nonsense"}
    assert requests.get(f"{front.origin}/jupyter/hub/api/user", headers=headers, timeout=10).status_code == 403


def test_an_old_cookie_is_sent_to_sign_in_again(front: Front) -> None:
    browser = front.browser()
    browser.cookies.set("commonshub_login", "x" * 43, domain="127.0.0.1", path="/jupyter/hub/")
    assert "/hub/login" in browser.open(HOME).headers["Location"]
    assert browser.open("/jupyter/hub/login").headers["Location"].startswith("/user/login?redirect=")


def test_logout_ends_hub_portal_sign_in_and_provider(front: Front) -> None:
    browser = front.browser()
    browser.follow(HOME)
    browser.follow("/portal/login?next=/portal/profile")
    onward = browser.sign_out_here("/user/logout?next=/portal/")
    assert onward.startswith(f"{front.provider.issuer}/session/end?")
    back = browser.sign_out_at_provider(onward).headers["Location"]
    assert browser.open(back).headers["Location"] == "/portal/"
    assert "/hub/login" in browser.open(HOME).headers["Location"]
    begun = browser.open(browser.open("/user/login/test").headers["Location"])
    assert "/interaction/" in begun.headers["Location"]


@pytest.mark.parametrize(
    "path",
    [
        "/user/login/assertion",
        "/user/login/assertion/",
        "//user/login//assertion",
        "/user/login/%61ssertion",
        "/user/x/../login/assertion",
        "/user/login/end",
        "/user/credentials/hub/ended",
        "/metrics",
        "/user/metrics",
        "/portal/metrics/",
        "/.commonshub/assertion",
    ],
)
def test_what_the_parts_ask_one_another_is_not_for_the_world(front: Front, path: str) -> None:
    host, port = front.origin.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: commonshub_login=x\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        status = connection.makefile("rb").readline()
    assert b" 404 " in status


def test_a_service_is_sent_no_cookie_of_the_sign_in_and_no_header_for_users(front: Front) -> None:
    forged = {
        "X-Commons-Assertion": "forged",
        "X-Remote-User": "alice@example.org",
        "Remote-User": "alice@example.org",
        "Cookie": "a=1; commonshub_login=secret; b=2",
        "X-Forwarded-For": "6.6.6.6",
        "X-Kept": "yes",
    }
    sent = headers_of(requests.get(f"{front.origin}/guppy/", headers=forged, timeout=10))
    assert sent["X-Kept"] == "yes"
    assert not {"X-Commons-Assertion", "X-Remote-User", "Remote-User"} & set(sent)
    assert sent["Cookie"].replace(" ", "") == "a=1;b=2"
    assert "6.6.6.6" not in sent["X-Forwarded-For"]


def test_a_workspace_cannot_make_nginx_fetch_for_it(front: Front, echo: str) -> None:
    front.route("/jupyter/user/mallory/", echo)
    for target in ("/.commonshub/assertion", "/user/login/assertion", "/jupyter/hub/home"):
        query = {"X-Accel-Redirect": target, "X-Commons-Assertion": "x"}
        answer = requests.get(f"{front.origin}/jupyter/user/mallory/x", params=query, timeout=10)
        assert answer.json()["path"] == "/jupyter/user/mallory/x"
        assert "X-Commons-Assertion" not in answer.headers


def test_a_kernel_s_channel_goes_through(front: Front, echo: str) -> None:
    front.route("/jupyter/user/mallory/", echo)

    async def talk() -> Any:
        url = f"ws{front.origin.removeprefix('http')}/jupyter/user/mallory/socket"
        connection = await websocket.websocket_connect(url)
        await connection.write_message("hello")
        answer = await connection.read_message()
        connection.close()
        assert await connection.read_message() is None
        return answer

    assert asyncio.run(talk()) == "hello"


def test_files_larger_than_the_services_take_go_to_workspaces_only(front: Front, echo: str) -> None:
    front.route("/jupyter/user/mallory/", echo)
    large = b"x" * 2**21
    assert requests.put(f"{front.origin}/jupyter/user/mallory/x", data=large, timeout=30).status_code == 200
    assert requests.put(f"{front.origin}/guppy/", data=large, timeout=30).status_code == 413


def test_no_code_or_state_reaches_nginx_s_log(front: Front) -> None:
    browser = front.browser()
    browser.follow(HOME)
    log = (front.folder.parent / "access.log").read_text()
    assert "/user/login/test/login" in log
    assert "code=" not in log
    assert browser.secret() not in log


def test_nginx_has_nothing_to_warn_of(front: Front) -> None:
    folder: Path = front.folder.parent
    assert (folder / "stderr").read_text() == ""


@pytest.mark.parametrize("trust", ["session", "assertion", None])
def test_every_variant_is_faultless(nginx: str, tmp_path: Path, trust: str | None) -> None:
    certificate, key = self_signed(tmp_path)
    config = Config({"RemoteUserAuthenticator": {"trust": trust}} if trust else {})
    texts = [
        configuration(Before("a.example *.b.example", "[::1]:8000", "[::1]:8080"), config),
        configuration(Before("a.example", "127.0.0.1:8000", "127.0.0.1:8443", certificate, key), config),
    ]
    for text in texts:
        (tmp_path / "commons.conf").write_text(text)
        (tmp_path / "nginx.conf").write_text(MAIN)
        command = [nginx, "-t", "-q", "-p", str(tmp_path), "-c", "nginx.conf"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")


def self_signed(folder: Path) -> tuple[str, str]:
    """Files of a certificate that nobody vouches for."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(private, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    pem = private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    for file, content in (("chain.pem", made.public_bytes(serialization.Encoding.PEM)), ("key.pem", pem)):
        (folder / file).write_bytes(content)
    return str(folder / "chain.pem"), str(folder / "key.pem")
