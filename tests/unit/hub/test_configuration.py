"""What a JupyterHub becomes by `configure`."""

from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from commonshub.core.errors import CommonsError
from commonshub.hub import configure
from commonshub.hub.ending import SETTING
from commonshub.hub.folder import DataFolder
from commonshub.hub.services import SERVICES


@pytest.fixture
def configured(tmp_path: Path) -> Config:
    c = Config()
    configure(c, tmp_path)
    return c


def services(c: Config) -> dict[str, dict[str, Any]]:
    return {service["name"]: service for service in c.JupyterHub.services}


def test_every_service_is_managed_and_gets_the_data_folder(configured: Config, tmp_path: Path) -> None:
    declared = services(configured)
    assert set(SERVICES) | {"culler", "supervisor"} == set(declared)
    for name in SERVICES:
        assert declared[name]["command"][-1] == f"commonshub.{name}"
        assert declared[name]["environment"]["COMMONSHUB_DATA_DIR"] == str(tmp_path)
    assert len({service["api_token"] for service in declared.values()}) == len(declared)


def test_no_service_is_an_administrator_and_rights_are_few(configured: Config) -> None:
    assert not any(service.get("admin") for service in configured.JupyterHub.services)
    scopes = {scope for role in configured.JupyterHub.load_roles for scope in role["scopes"]}
    assert not {scope for scope in scopes if scope.startswith("admin")}
    assert configured.Spawner.server_token_scopes == [
        "users:activity!user",
        "access:servers!server",
        "access:services!service=auth",
    ]


def test_the_auth_service_hears_what_ends_and_may_ask_what_runs(configured: Config, tmp_path: Path) -> None:
    [role] = [role for role in configured.JupyterHub.load_roles if role["services"] == ["auth"]]
    assert role["scopes"] == ["list:users", "read:servers", "delete:servers"]
    endings = configured.JupyterHub.tornado_settings[SETTING]
    assert endings.origin == services(configured)["auth"]["url"]
    assert configured.Spawner.post_stop_hook == endings.server_stopped
    assert services(configured)["auth"]["api_token"] not in repr(endings)


def test_a_hub_without_the_auth_service_tells_nobody(tmp_path: Path) -> None:
    (tmp_path / "commonshub_config.py").write_text('c.HubSettings.managed_services = ["workflow"]\n')
    c = Config()
    configure(c, tmp_path)
    assert "post_stop_hook" not in c.Spawner
    assert not any("auth" in role["services"] for role in c.JupyterHub.load_roles)


def test_the_hub_needs_no_supervisor(configured: Config) -> None:
    assert configured.JupyterHub.base_url == "/jupyter/"
    assert "should_start" not in configured.ConfigurableHTTPProxy


def test_under_the_supervisor_the_proxy_is_the_supervisors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = DataFolder(tmp_path)
    folder.create()
    monkeypatch.setenv("COMMONSHUB_INSTANCE", folder.make_secrets()["instance"])
    ports = folder.ports()
    c = Config()
    configure(c, tmp_path)
    assert c.ConfigurableHTTPProxy.should_start is False
    assert c.JupyterHub.hub_bind_url == f"http://127.0.0.1:{ports['hub']}"
    assert folder.ports() == ports


def test_the_operators_file_has_the_last_word(tmp_path: Path) -> None:
    (tmp_path / "commonshub_config.py").write_text(
        'c.HubSettings.external_services = {"index": "http://index:8080"}\n'
        "c.HubSettings.cull_idle_s = 0\n"
        'c.JupyterHub.subdomain_host = "https://commons.example:8443"\n'
        "c.JupyterHub.log_level = 10\n"
        'c.DatabaseSettings.url = "postgresql://u:secret@h/d"\n'
    )
    c = Config()
    configure(c, tmp_path)
    assert "command" not in services(c)["index"]
    assert "culler" not in services(c)
    assert c.Proxy.extra_routes["commons.example/index/"] == "http://index:8080"
    assert c.JupyterHub.log_level == 10
    assert "secret@" not in str(c)


@pytest.mark.parametrize("fault", ["c.Commons.name = (", "c.Commons.name = nothing", "1 / 0"])
def test_a_fault_in_the_operators_file_is_told_with_its_line(tmp_path: Path, fault: str) -> None:
    (tmp_path / "commonshub_config.py").write_text(f"c = get_config()\n{fault}\n")
    with pytest.raises(CommonsError, match=r"commonshub_config\.py, line 2: \w+Error: "):
        configure(Config(), tmp_path)


def test_secrets_are_made_once(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.create()
    first = folder.make_secrets()
    assert folder.make_secrets() == first
    assert (folder.secrets / "hub.json").stat().st_mode & 0o777 == 0o600


def test_a_folder_of_another_account_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(CommonsError, match="belongs to another account"):
        DataFolder(tmp_path).create()


def test_a_provider_of_users_takes_the_place_of_passwords(tmp_path: Path) -> None:
    provider = {"issuer": "https://provider.example", "client_id": "commons"}
    (tmp_path / "commonshub_config.py").write_text(f"c.SignInSettings.providers = {{'uni': {provider}}}\n")
    c = Config()
    configure(c, tmp_path)
    assert c.JupyterHub.authenticator_class.endswith("RemoteUserAuthenticator")
    assert c.RemoteUserAuthenticator.trust == "session"
    [auth] = [service["url"] for service in c.JupyterHub.services if service["name"] == "auth"]
    assert c.RemoteUserAuthenticator.auth_url == auth
    assert c.JupyterHub.cookie_max_age_days == pytest.approx(1 / 3)
