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

walk=quickstart
# shellcheck source=examples/walk.sh
source "$(dirname "$0")/walk.sh"

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
