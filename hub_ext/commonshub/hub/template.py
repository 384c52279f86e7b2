"""The commented ``commonshub_config.py`` that ``commonshub init`` writes."""

from commonshub.core.settings import Commons, DatabaseSettings, LimitSettings, StorageSettings, TokenSettings
from commonshub.core.signin import SignInSettings

from .services import HubSettings

HEADING = """\
# Configuration of this commons, read by the hub and by every service at their start.
#
# Each setting is shown with its help and its default. Remove the # in front of a line to change it, then restart with
# `commonshub down` and `commonshub up`. JupyterHub's own settings (c.JupyterHub, c.Spawner, …) may be set here too.
#
# To use a PostgreSQL or an object store of your own, set DatabaseSettings.url, or StorageSettings.endpoint_url and
# StorageSettings.credentials_file: the embedded one is then not started.

c = get_config()  # noqa: F821

"""


def config_text() -> str:
    """The file's text."""
    sections = (Commons, DatabaseSettings, LimitSettings, StorageSettings, TokenSettings, SignInSettings, HubSettings)
    return HEADING + "\n".join(section.class_config_section() for section in sections)
