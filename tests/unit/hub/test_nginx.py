"""What may become part of nginx's configuration, and what the operator is told."""

import pytest
from traitlets.config import Config

from commonshub.core.errors import BadRequest
from commonshub.hub.nginx import Front, advice, configuration

GOOD = {"server_name": "commons.example", "upstream": "127.0.0.1:8000"}
ASSERTIONS = {"RemoteUserAuthenticator": {"trust": "assertion"}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"server_name": ""},
        {"server_name": "a; include /etc/passwd"},
        {"server_name": "a\nb"},
        {"upstream": "127.0.0.1"},
        {"upstream": "127.0.0.1:1; }"},
        {"listen": "80 default_server"},
        {"certificate": "/a.pem"},
        {"key": "/a.pem"},
        {"certificate": 'a"b.pem', "key": "/a.pem"},
        {"certificate": "/a$b.pem", "key": "/a.pem"},
        {"certificate": "a.pem", "key": "/a.pem"},
        {"access_log": "/a;b"},
    ],
    ids=str,
)
def test_an_option_that_would_be_more_than_one_word_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        configuration(Front(**{**GOOD, **wrong}), Config())


def test_tls_brings_a_redirect_and_its_own_port() -> None:
    text = configuration(Front(**GOOD, certificate="/etc/tls/chain.pem", key="/etc/tls/key.pem"), Config())
    assert "listen 443 ssl;" in text
    assert "return 301 https://" in text
    assert 'ssl_certificate_key "/etc/tls/key.pem";' in text


@pytest.mark.parametrize("settings", [{}, {"RemoteUserAuthenticator": {"trust": "session"}}])
def test_nginx_asks_about_nobody_where_the_hub_asks_itself(settings: dict[str, dict[str, str]]) -> None:
    text = configuration(Front(**GOOD), Config(settings))
    assert "auth_request" not in text
    assert "proxy_set_header Cookie" not in text
    assert "proxy_set_header X-Commons-Assertion" in text


def test_every_header_that_the_hub_reads_is_replaced() -> None:
    config = Config({"RemoteUserAuthenticator": {"trust": "assertion", "user_header": "X-My-User"}})
    text = configuration(Front(**GOOD), config)
    for name in ("X-My-User", "X-Remote-User", "X-Remote-Groups", "X-Commons-Proxy-Secret", "Remote-User"):
        assert f'proxy_set_header {name} "";' in text


def test_what_is_missing_is_said() -> None:
    providers = {"uni": {"issuer": "https://provider.example", "client_id": "commons"}}
    config = Config({"SignInSettings": {"providers": providers}})
    assert [line.split()[0] for line in advice(Front(**GOOD), config)] == ["Set", "Set", "The"]
    limits = {"LimitSettings": {"proxy_hops": 2}}
    config.merge(Config({"Commons": {"origin": "http://commons.example"}, **limits, **ASSERTIONS}))
    assert advice(Front(**GOOD), config) == []
