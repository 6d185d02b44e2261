#!/usr/bin/env bash
# A walk through ragauth with curl: from signing up to a token that is refused.
#
#   examples/quickstart.sh
#
# ragauth is where RAGAUTH_URL says, else on 127.0.0.1 and PORT (8000), as of `make run`.
#
# It prints each request and each answer; secrets are shortened in print only. Each run makes an
# account of its own. Needs curl and python3.
#
# Exit code: 0 all went as told here, 1 an answer was not the expected one, 2 a program is
# missing, 3 nothing answers there.

set -euo pipefail

base=${RAGAUTH_URL:-http://127.0.0.1:${PORT:-8000}}
base=${base%/}

for program in curl python3; do
    command -v "$program" >/dev/null || { echo "quickstart needs $program" >&2; exit 2; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    printf '\nquickstart stopped: %s\n' "$1" >&2
    exit "${2:-1}"
}

# Secrets as they may be shown: the first characters, then an ellipsis.
shorten() {
    sed -E -e 's/(eyJ[A-Za-z0-9_-]{6})[A-Za-z0-9_.-]{20,}/\1.../g' \
        -e 's/([a-z0-9]+_(live|test|pub|svc)_[0-9A-Za-z]{4})[0-9A-Za-z]{32}/\1.../g' \
        -e 's/("password": ")[^"]+/\1.../g'
}

step() {
    printf '\n\n# %s\n' "$1"
}

# request STATUS METHOD PATH [curl's options...]: sends it, shows it, insists on the status.
request() {
    local expected=$1 method=$2 path=$3 status option shown="curl -i -X $2 '$base$3'"
    shift 3
    for option in "$@"; do
        case $option in
            -*) shown+=" \\"$'\n'"    $option" ;;
            *) shown+=" '$option'" ;;
        esac
    done
    printf '\n$ %s\n' "$shown" | shorten
    status=$(curl --silent --show-error --max-time 30 --request "$method" "$@" \
        --dump-header "$work/head" --output "$work/body" --write-out '%{http_code}' \
        "$base$path" 2>"$work/problem") || fail "$base does not answer: $(cat "$work/problem")" 3
    # What a gateway would hand on, and when to come back.
    printf '\nHTTP %s\n' "$status"
    tr -d '\r' <"$work/head" | grep -iE '^(x-ragauth-|ratelimit|retry-after|www-authenticate)' || true
    if [ -s "$work/body" ]; then
        { python3 -m json.tool "$work/body" 2>/dev/null || cat "$work/body"; } | shorten
    fi
    [ "$status" = "$expected" ] || fail "$method $path answered $status, expected $expected"
    rm -f "$work/last"
    [ ! -s "$work/body" ] || mv "$work/body" "$work/last"
    rm -f "$work/body"
}

# field NAME...: a value of the last answer, by its path; it must be there.
field() {
    python3 -c '
import json, sys

try:
    with open(sys.argv[1], encoding="utf-8") as file:
        value = json.load(file)
    for name in sys.argv[2:]:
        value = value[name]
except (OSError, ValueError, KeyError, TypeError):
    sys.exit(1)
print(value)' "$work/last" "$@" || fail "the answer has no ${*: -1}"
}

# expect VALUE NAME...: the last answer must have this value there.
expect() {
    local expected=$1 found
    shift
    found=$(field "$@")
    [ "$found" = "$expected" ] || fail "${*: -1} is '$found', expected '$expected'"
}

json='Content-Type: application/json'
random=$(python3 -c 'import secrets; print(secrets.token_hex(8))')
email="quickstart-$random@example.com"
password="correct horse $random"

step "Sign up: an account, a session and the account's API key, which is shown this once"
request 201 POST /api/auth/signup -H "$json" \
    -d "{\"email\": \"$email\", \"password\": \"$password\", \"name\": \"Jane Developer\"}"
first_key=$(field data api_key)
expect "$email" data account email
expect trial data account plan

step "Log in: the dashboard's way to a token"
request 200 POST /api/auth/login -H "$json" \
    -d "{\"email\": \"$email\", \"password\": \"$password\"}"
token=$(field data token)
refresh_token=$(field data refresh_token)

step "Who am I? (the dashboard, with the token)"
request 200 GET /api/auth/me -H "Authorization: Bearer $token"
expect "$email" data email

step "Who am I? (a program, with the key)"
request 200 GET /api/v1/me -H "Authorization: Bearer $first_key"
expect "$email" data account email

step "The same key in the other header"
request 200 GET /api/v1/me -H "X-API-Key: $first_key"
expect "$email" data account email

step "Regenerate the key"
request 200 POST /api/auth/api-key/regenerate -H "Authorization: Bearer $token"
second_key=$(field data api_key)
[ "$first_key" != "$second_key" ] || fail "the new key is the old one"

step "The old key is dead at once"
request 401 GET /api/v1/me -H "Authorization: Bearer $first_key"
expect AUTHENTICATION_ERROR error code
expect revoked error details reason

step "The new one works"
request 200 GET /api/v1/me -H "Authorization: Bearer $second_key"

step "Make an agent"
request 201 POST /api/agents -H "Authorization: Bearer $token" -H "$json" \
    -d '{"name": "Support bot"}'
agent_id=$(field data id)

step "Make a key that is bound to it and may only query"
request 201 POST "/api/agents/$agent_id/api-keys" -H "Authorization: Bearer $token" -H "$json" \
    -d '{"name": "Website", "scopes": ["query"]}'
agent_key=$(field data api_key)
expect "$agent_id" data agent_id

step "What a gateway asks for each request: may this key query this agent?"
request 200 GET "/api/v1/authorize?scope=query&agent_id=$agent_id" \
    -H "Authorization: Bearer $agent_key"
tr -d '\r' <"$work/head" | grep -qix "x-ragauth-agent-id: $agent_id" ||
    fail "the answer has no X-Ragauth-Agent-Id: $agent_id"

step "May it ingest documents? It has no such scope"
request 403 GET "/api/v1/authorize?scope=ingest&agent_id=$agent_id" \
    -H "Authorization: Bearer $agent_key"
expect AUTHORIZATION_ERROR error code
expect insufficient_scope error details reason

step "Refresh: a new pair of tokens; the old refresh token is spent"
request 200 POST /api/auth/token/refresh -H "$json" \
    -d "{\"refresh_token\": \"$refresh_token\"}"
token=$(field data token)

step "Log out"
request 204 POST /api/auth/logout -H "Authorization: Bearer $token"

step "The token is refused from now on"
request 401 GET /api/auth/me -H "Authorization: Bearer $token"
expect AUTHENTICATION_ERROR error code
expect revoked error details reason

printf '\n\nquickstart: all as expected\n'
