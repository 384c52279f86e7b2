"""The challenge of a sign-in."""

from commonshub.core.pkce import challenge_of


def test_the_challenge_is_that_of_the_example_in_the_rfc() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
