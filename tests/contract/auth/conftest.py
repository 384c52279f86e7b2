from tests.auth_service import auth
from tests.openid_service import people, provider_package, service, start_provider

__all__ = ["auth", "people", "provider_package", "service", "start_provider"]
