#!/usr/bin/env bash
# A walk of a vendor who sells tokens: from a policy file to a bill, with curl.
#
#   RAGAUTH_POLICY_FILE=examples/policy.toml make demo      # in another terminal
#   examples/metering.sh
#
# ragauth is where RAGAUTH_URL says, else on 127.0.0.1 and PORT (8000); the sample API where
# SERVICE_URL says, else on 127.0.0.1 and SERVICE_PORT (9000). Operators' commands run in this
# folder's environment, so RAGAUTH_* must be here what they are for the server.
#
# It prints each request and each answer; secrets are shortened in print only. Each run makes an
# account of its own. Needs curl, and ragauth in .venv (PYTHON names another Python).
#
# Exit code: 0 all went as told here, 1 an answer was not the expected one, 2 a program is
# missing, 3 nothing answers there.

set -euo pipefail

walk=metering
cd "$(dirname "$0")/.."
# shellcheck source=examples/walk.sh
source examples/walk.sh
service=${SERVICE_URL:-http://127.0.0.1:${SERVICE_PORT:-9000}}

# A walk that stops halfway leaves no service key behind.
service_key_id=
trap '[ -z "$service_key_id" ] || run service-keys revoke "$service_key_id" --yes; rm -rf "$work"' EXIT

# run NAME...: an operator's command.
run() {
    printf '\n$ flask --app wsgi %s\n\n' "$*"
    "${PYTHON:-.venv/bin/python}" -m flask --app wsgi "$@" >"$work/last" ||
        fail "flask --app wsgi ${*:1:2} has failed"
    shorten <"$work/last"
}

# operator STATUS METHOD PATH [curl's options...]: a request with the service key.
operator() { request "$@" -H "X-API-Key: $service_key"; }

# verify BODY: the question of a service about the intern's key.
verify() {
    operator 200 POST /api/v1/keys/verify -H "$json" -d "{\"key\": \"$intern_key\", $1}"
}

# Without a mail server, mails are files in a folder of the installation.
outbox=${RAGAUTH_INSTANCE_DIR:-instance}/outbox

# mail WORDS: waits for the customer's mail whose subject has these words, and shows its text.
mail() {
    python3 - "$outbox" "$email" "$1" >"$work/mail" <<'END' || fail "no mail '$1' came within 30 s"
import email
import email.policy
import pathlib
import sys
import time

folder, recipient, words = sys.argv[1:]
until = time.monotonic() + 30
while time.monotonic() < until:
    for path in pathlib.Path(folder).glob("*.eml"):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        if recipient in mail["To"] and words in mail["Subject"]:
            text = mail.get_body(("plain",)).get_content().replace("\r", "")
            print(f"Subject: {mail['Subject']}\n\n{text}")
            sys.exit()
    time.sleep(0.2)
sys.exit(1)
END
    printf '\n'
    shorten <"$work/mail"
}

# The day that is used up below must not end meanwhile.
while [ "$(date -u +%H%M)" = 2359 ]; do sleep 1; done

step "What is sold: the policy file declares a meter for tokens, and plans with limits of it"
run policy check examples/policy.toml

step "A key for your services: they ask about keys, change accounts, read usage"
run service-keys create --name metering \
    --scope verify --scope accounts --scope usage --json
service_key=$(field api_key)
service_key_id=$(field id)

step "A customer signs up"
random=$(python3 -c 'import secrets; print(secrets.token_hex(8))')
email=metering-$random@example.com
request 201 POST /api/auth/signup -H "$json" \
    -d "{\"email\": \"$email\", \"password\": \"correct horse $random\"}"
account_id=$(field data account id)
token=$(field data token)
key=$(field data api_key)

if [ -z "${RAGAUTH_MAIL_URL:-}" ]; then
    step "They confirm their address: one that is not confirmed gets no mails about limits"
    mail "Confirm your email address"
    mailed=$(grep -oE '[A-Za-z0-9_-]{40,}' "$work/mail" | head -n 1)
    request 204 POST /api/auth/email/verify -H "$json" -d "{\"token\": \"$mailed\"}"
fi

step "You sell them the plan 'team', with 6,000 tokens a day in the place of what it has"
operator 200 PATCH "/api/v1/internal/accounts/$account_id" -H "$json" \
    -d '{"plan": "team", "limits": [{"meter": "tokens", "window": "day", "size": 6000}]}'
expect team data plan

step "They make a key to give away: 5,000 tokens in all, 30 requests a minute"
request 201 POST /api/auth/api-keys -H "Authorization: Bearer $token" -H "$json" \
    -d '{"name": "Intern", "limits": [
        {"meter": "tokens", "window": "total", "size": 5000},
        {"meter": "requests", "window": "minute", "size": 30}]}'
intern_key=$(field data api_key)
intern_key_id=$(field data id)

step "Your API is called with it, and asks: this will take 1,200 tokens"
verify '"scope": "query", "use": {"tokens": 1200}'
expect true data valid

step "An answer of unknown length: the sample API reserves 204 tokens, streams, and settles 6"
request 201 POST /api/agents -H "Authorization: Bearer $token" -H "$json" -d '{"name": "Bot"}'
agent_id=$(field data id)
request 200 POST "$service/agents/$agent_id/query/stream" -H "X-API-Key: $intern_key" \
    -H "$json" -d '{"message": "Good morning", "max_tokens": 202}'
grep -q '"tokens": 6' "$work/last" || fail "the answer did not use 6 tokens"

step "What is left: 1,206 tokens are used, the other 198 were given back"
request 200 GET /api/v1/me -H "X-API-Key: $intern_key"

step "A job of the night reports what it used; an event that is sent again is known"
events="[{\"id\": \"job-1\", \"key_id\": \"$intern_key_id\", \"use\": {\"tokens\": 800}},
    {\"id\": \"job-2\", \"key_id\": \"$intern_key_id\", \"use\": {\"tokens\": 700, \"pages\": 12}}]"
operator 200 POST /api/v1/usage/report -H "$json" -d "{\"events\": $events}"
expect 2 data accepted
operator 200 POST /api/v1/usage/report -H "$json" -d "{\"events\": $events}"
expect 0 data accepted
expect 2 data known

step "Too much for the key's own budget: 2,706 of its 5,000 tokens are used"
verify '"use": {"tokens": 3000}'
expect false data valid
expect 429 data status
expect tokens_total data details limit
expect key data details of

step "Another key of the account has no such budget, and uses the rest of the day's 6,000"
request 200 GET "/api/v1/authorize?scope=query&use=tokens:3294" -H "X-API-Key: $key"

step "The day is used up: refused until it ends"
request 429 GET "/api/v1/authorize?scope=query&use=tokens:1" -H "X-API-Key: $key"
expect USAGE_LIMIT_EXCEEDED error code
expect tokens_per_day error details limit
expect account error details of
grep -qi '^retry-after: ' "$work/head" || fail "the answer has no Retry-After"

step "Their chart shows it, and their history that they were told"
request 200 GET /api/auth/usage?group_by=day -H "Authorization: Bearer $token"
expect 6000 data 0 use tokens
request 200 GET /api/auth/events?limit=1 -H "Authorization: Bearer $token"
expect limit:reached data 0 name
[ -n "${RAGAUTH_MAIL_URL:-}" ] || mail "Your 6,000 tokens a day are used up"

step "They buy more; what is used stays counted"
operator 200 PATCH "/api/v1/internal/accounts/$account_id" -H "$json" \
    -d '{"limits": [{"meter": "tokens", "window": "day", "size": 20000}]}'
request 200 GET "/api/v1/authorize?scope=query&use=tokens:1" -H "X-API-Key: $key"
grep -q '"tokens-day";r=13999;' "$work/head" || fail "13,999 tokens should be left of the day"

step "The bill: what the account has used, by meter"
operator 200 GET "/api/v1/internal/usage?account_id=$account_id&group_by=month"
expect 6001 data 0 use tokens
expect 12 data 0 use pages
operator 200 GET "/api/v1/internal/usage?account_id=$account_id" -H 'Accept: text/csv'

step "End: the service key of this walk dies"
run service-keys revoke "$service_key_id" --yes
service_key_id=
operator 401 GET /api/v1/internal/accounts
expect revoked error details reason

printf '\n\nmetering: all as expected\n'
