"""Whose passports and visas a commons takes, as its operator configured it."""

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from traitlets import Bool, Dict, Integer
from traitlets.config import Configurable

from commonshub.core.errors import BadRequest, UpstreamError
from commonshub.core.options import read_options
from commonshub.core.outbound import check_url
from commonshub.core.paths import parse_path

T = TypeVar("T", "Broker", "VisaIssuer")


class PassportSettings(Configurable):
    """GA4GH passports, which open data by DRS where they are switched on."""

    enabled = Bool(False, help="Whether DRS takes GA4GH passports; otherwise a request that carries one is a 400.").tag(
        config=True
    )

    brokers = Dict(
        help="Who may sign passports: a map of issuers (`iss`, as their passports have it) to a map of `jwks_uri`, the "
        "address of their keys, and perhaps `audience`, what `aud` must name in a passport that has one."
    ).tag(config=True)

    visa_issuers = Dict(
        help="Who may sign visas: a map of issuers (`iss`) to a map of `jwks_uri`, `sources` (whose decisions they may "
        "pass on, as `source` has it), `grants` (values of ControlledAccessGrants to lists of resource paths) and "
        "perhaps `subjects_of` and `links`; see docs/reference/passports.md."
    ).tag(config=True)

    max_passports = Integer(4, min=1, help="Most passports in one request.").tag(config=True)

    max_passport_bytes = Integer(65_536, min=1, help="Largest passport, in bytes of its encoded form.").tag(config=True)

    max_visas = Integer(100, min=1, help="Most visas in one request, in all its passports.").tag(config=True)

    timeout_s = Integer(5, min=1, help="Time that an issuer gets to tell its keys, in seconds.").tag(config=True)

    keys_s = Integer(600, min=1, help="Time for which the keys of an issuer are not asked for again, in seconds.").tag(
        config=True
    )


@dataclass(frozen=True, slots=True)
class Broker:
    """Who signs passports.

    Parameters
    ----------
    issuer
        ``iss`` of its passports.
    jwks_uri
        Where its keys are.
    audience
        What ``aud`` must name in a passport that has one.
    """

    issuer: str
    jwks_uri: str
    audience: str = ""


@dataclass(frozen=True, slots=True)
class VisaIssuer:
    """Who signs visas.

    Parameters
    ----------
    issuer
        ``iss`` of its visas.
    jwks_uri
        Where its keys are.
    sources
        Organizations whose decisions it may pass on.
    grants
        Resource paths that each value of its ControlledAccessGrants opens.
    subjects_of
        The broker whose names of people (``sub``) its visas use; empty where it has its own.
    links
        Whether its LinkedIdentities count.
    """

    issuer: str
    jwks_uri: str
    sources: tuple[str, ...]
    grants: Mapping[str, Sequence[str]] = field(default_factory=dict)
    subjects_of: str = ""
    links: bool = False


def parse_brokers(settings: Mapping[Any, Any]) -> dict[str, Broker]:
    """The brokers of ``PassportSettings.brokers``.

    Raises
    ------
    BadRequest
        A setting is missing, unknown or of the wrong kind; the message names issuer and setting.
    """
    return _parse("brokers", settings, Broker, ("jwks_uri",))


def parse_visa_issuers(settings: Mapping[Any, Any], brokers: Container[str]) -> dict[str, VisaIssuer]:
    """The issuers of ``PassportSettings.visa_issuers``.

    Raises
    ------
    BadRequest
        As :func:`parse_brokers`; also for what is no resource path, or none of the brokers.
    """
    found = _parse("visa_issuers", settings, VisaIssuer, ("jwks_uri", "sources"))
    for issuer in found.values():
        if issuer.subjects_of and issuer.subjects_of not in brokers:
            where = f"PassportSettings.visa_issuers[{issuer.issuer!r}]['subjects_of']"
            raise BadRequest(f"{where}: {issuer.subjects_of} is none of PassportSettings.brokers.")
        for value, paths in issuer.grants.items():
            where = f"PassportSettings.visa_issuers[{issuer.issuer!r}]['grants'][{value!r}]"
            if not isinstance(paths, list | tuple) or not all(isinstance(path, str) for path in paths):
                raise BadRequest(f"{where} must be a list of resource paths.")
            with _named(where):
                for path in paths:
                    parse_path(path)
    return found


def _parse(setting: str, settings: Mapping[Any, Any], kind: type[T], required: Sequence[str]) -> dict[str, T]:
    found: dict[str, T] = {}
    for issuer, values in settings.items():
        where = f"PassportSettings.{setting}[{issuer!r}]"
        made = kind(str(issuer), **read_options(kind, where, values, required))
        with _named(f"{where}['jwks_uri']"):
            check_url(made.jwks_uri)
        found[made.issuer] = made
    return found


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Faults with the setting in front that they are in."""
    try:
        yield
    except (BadRequest, UpstreamError) as error:
        raise BadRequest(f"{where}: {error.message}") from error
