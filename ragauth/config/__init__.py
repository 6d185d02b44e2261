"""The settings: read once from the environment, typed, each fault named in one line.

Nothing else in the package reads `os.environ`. The factory reads the application's settings
(`read_settings`), gunicorn's configuration the server's (`read_server_settings`); both raise
SettingsError with all faults at once. A running application's are `extensions.settings()`.
"""

from ragauth.config.mount import is_prefix, mounted_at
from ragauth.config.server import (
    WORKERS_BEFORE,
    ServerSettings,
    begin_command,
    environment_for_successor,
    has_inherited_sockets,
    has_own_server,
    is_flask_command,
    is_serving,
    read_server_settings,
    server_environment,
    take_workers_before,
)
from ragauth.config.settings import MAX_BODY_BYTES, Settings, read_settings
from ragauth.config.values import SettingsError

__all__ = [
    "MAX_BODY_BYTES",
    "WORKERS_BEFORE",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "begin_command",
    "environment_for_successor",
    "has_inherited_sockets",
    "has_own_server",
    "is_flask_command",
    "is_prefix",
    "is_serving",
    "mounted_at",
    "read_server_settings",
    "read_settings",
    "server_environment",
    "take_workers_before",
]
