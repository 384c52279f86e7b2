from tests.auth_service import auth
from tests.data_service import commons
from tests.hub_browser import hub_url
from tests.oauth_client import browser, site
from tests.openid_service import people, provider_package, service, start_provider

__all__ = ["auth", "browser", "commons", "hub_url", "people", "provider_package", "service", "site", "start_provider"]
