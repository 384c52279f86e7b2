from tests.auth_service import auth
from tests.openid_service import people, provider_package, service, start_provider
from tests.stores import second_store

__all__ = ["auth", "people", "provider_package", "second_store", "service", "start_provider"]
