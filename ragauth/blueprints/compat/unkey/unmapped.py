"""Unkey's methods that have no counterpart here: each is 400 and says so.

Its clients repeat a 5xx for ten seconds, and take a 404 for a thing that is not there.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from ragauth.blueprints.compat.unkey.blueprint import unkey
from ragauth.errors import InvalidRequest
from ragauth.web.endpoint import declared
from ragauth.web.guards import any_service_key

_ROLES = "There are no roles here: give each key its permissions"
_OVERRIDES = "Limits have no overrides here: name the limit in the question"
_ROOT_KEYS = "Root keys are made on the command line: service-keys create"
_LOGS = "Logs of Unkey's platform are not kept here"
_HOSTING = "Unkey's platform for applications is not a part of this service"
_WORKSPACE = "There is no workspace here, and no plan of Unkey's"
#: Why there is none, by the method.
UNMAPPED: Mapping[str, str] = {
    method: why
    for chapter, methods, why in (
        ("keys", "addRoles removeRoles setRoles", _ROLES),
        (
            "permissions",
            "createRole deleteRole getRole listRoles setRolePermissions updateRole",
            _ROLES,
        ),
        ("ratelimit", "deleteOverride getOverride listOverrides setOverride", _OVERRIDES),
        ("analytics", "getGatewayRequests getRatelimits getRuntimeLogs", _LOGS),
        ("rootKeys", "createKey deleteKey listKeys rerollKey updateKey", _ROOT_KEYS),
        ("workspace", "getLimits getUsage", _WORKSPACE),
        ("apps", "createApp deleteApp getApp listApps updateApp", _HOSTING),
        ("deploy", "createDeployment getDeployment", _HOSTING),
        (
            "deployments",
            "createDeployment getDeployment listBuildLogs listDeployments promoteDeployment"
            " rollbackDeployment startDeployment stopDeployment",
            _HOSTING,
        ),
        ("domains", "createDomain deleteDomain getDomain listDomains verifyDomain", _HOSTING),
        (
            "environments",
            "getEnvironment listEnvironmentVariables listEnvironments removeEnvironmentVariables"
            " setEnvironmentVariables updateSettings",
            _HOSTING,
        ),
        ("gateway", "listPolicies setPolicies updatePolicy", _HOSTING),
        ("github", "installApp", _HOSTING),
        (
            "portal",
            "createPortal createSession deletePortal exchangeCode getPortal getVerifications"
            " listKeys listSessions rerollKey revokeSession updatePortal",
            _HOSTING,
        ),
        ("projects", "createProject deleteProject getProject listProjects updateProject", _HOSTING),
    )
    for method in (f"{chapter}.{name}" for name in methods.split())
}


def _paths() -> Iterator[tuple[str, str]]:
    for method in UNMAPPED:
        yield f"/v2/{method}", method
    yield "/v3/deployments.createDeployment", "deployments.createDeployment"


def _refuse(method: str) -> Any:
    @declared(guard=any_service_key, is_documented=False)
    def refuse() -> NoReturn:
        any_service_key()
        raise InvalidRequest([{"path": [], "message": UNMAPPED[method]}])

    return refuse


for _path, _method in _paths():
    unkey.add_url_rule(
        _path, f"refuse_{_path[1:].replace('.', '_')}", _refuse(_method), methods=["POST"]
    )
