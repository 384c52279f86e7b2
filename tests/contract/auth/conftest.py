from tests.auth_service import auth

__all__ = ["auth"]
