"""Every field of every body refuses what is not its type (S26, S29)."""

from tests.api.callers import caller_of
from tests.api.routes import BODY_ROUTES, Route
from tests.cases import for_each
from tests.clients import Client, issues

MAY_BE_NULL = {
    *("name", "username", "description", "scopes", "expires_at", "agent_id", "allowed_ips"),
    *("allowed_origins", "scope", "client_ip", "origin", "cost"),
    *("metadata", "limits", "external_id"),
}
NEVER_NULL = {
    ("POST", "/api/auth/login", "username"),
    ("POST", "/api/auth/api-keys", "name"),
    ("POST", "/api/agents", "name"),
}
FIELDS = [(route, name) for route in BODY_ROUTES for name in route.body]
LONG = "x" * 60_000
STRANGE = [5, -1.5, 10**400, {}, {"a": 1}, [[]], [None], [{}], "\0", "a\ud800b", LONG, True, False]


def may_be_null(route: Route, name: str) -> bool:
    is_name_of_thing = name == "name" and not route.path.endswith(
        ("/signup", "/me", "/internal/accounts")
    )
    if (route.path, name) == ("/api/v1/internal/accounts", "email"):
        return True
    return (
        name in MAY_BE_NULL
        and not is_name_of_thing
        and (route.method, route.path, name) not in NEVER_NULL
    )


@for_each("route", BODY_ROUTES)
def test_a_value_of_another_type_is_that_fields_fault(client: Client, route: Route) -> None:
    """All fields have the same value at once, each of which is told of."""
    caller = caller_of(client, route)
    for value in STRANGE:
        names = [name for name in route.body if not _fits(route, name, value)]
        alone = [[name] for name in names]
        # Several long texts would be a body that is not read.
        for together in alone if value == LONG or not names else [names]:
            body = {**route.body, **dict.fromkeys(together, value)}
            response = caller.request(route.method, route.path, json=body)
            paths = set(issues(response))
            assert {path[0] for path in paths} == set(together), (value, paths)


@for_each(("route", "name"), FIELDS)
def test_null_is_a_fault_unless_it_means_none(client: Client, route: Route, name: str) -> None:
    response = caller_of(client, route).request(
        route.method, route.path, json={**route.body, name: None}
    )
    if may_be_null(route, name):
        assert response.status_code != 400 or (name,) not in issues(response)
    else:
        assert issues(response) == {(name,): "May not be null"}


@for_each("route", BODY_ROUTES)
def test_an_unknown_field_is_a_fault_beside_the_others(client: Client, route: Route) -> None:
    """S26: unknown fields are refused."""
    name = next(iter(route.body))
    # Only operators set a plan.
    unknown = "role" if "plan" in route.body else "plan"
    body = {
        **route.body,
        name: 5 if name == "plan" else {},
        unknown: "scale",
        "": 1,
        "a\0\ud800": 1,
    }
    response = caller_of(client, route).request(route.method, route.path, json=body)
    assert set(issues(response)) == {(name,), (unknown,), ("",), ("a\0\ud800",)}


def _fits(route: Route, name: str, value: object) -> bool:
    """Some of them are right for some fields; a long password is simply wrong at a login."""
    is_presented = name == "current_password" or (
        name == "password" and not route.path.endswith("/signup")
    )
    is_number = name in ("cost", "grace_seconds")
    # Whatever the client of a service presented: what can be no key is refused as one.
    is_kept = name == "metadata" and isinstance(value, dict)
    is_any_text = (route.path, name) == ("/api/v1/keys/verify", "key") and isinstance(value, str)
    is_long = is_presented and value == LONG
    is_switch = name == "is_active" and isinstance(value, bool)
    return is_switch or is_long or (is_number and value == 5) or is_any_text or is_kept
