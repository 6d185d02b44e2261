# What the walks with curl share; each sets `walk` to its name and sources this.
#
# ragauth is at `base`: where RAGAUTH_URL says, else on 127.0.0.1 and PORT (8000).

# shellcheck shell=bash
# shellcheck disable=SC2154  # `walk` is set by who sources this.

base=${RAGAUTH_URL:-http://127.0.0.1:${PORT:-8000}}
base=${base%/}

for program in curl python3; do
    command -v "$program" >/dev/null || { echo "$walk needs $program" >&2; exit 2; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    printf '\n%s stopped: %s\n' "$walk" "$1" >&2
    exit "${2:-1}"
}

# Secrets as they may be shown: the first characters, then an ellipsis.
shorten() {
    sed -E -e 's/(eyJ[A-Za-z0-9_-]{6})[A-Za-z0-9_.-]{20,}/\1.../g' \
        -e 's/([a-z0-9]+_(live|test|pub|svc)_[0-9A-Za-z]{4})[0-9A-Za-z]{32}/\1.../g' \
        -e 's/("password": ")[^"]+/\1.../g' \
        -e 's/(^|"|token=| )([A-Za-z0-9_-]{6})[A-Za-z0-9_-]{37,}($|")/\1\2...\3/g'
}

step() {
    printf '\n\n# %s\n' "$1"
}

# request STATUS METHOD PATH [curl's options...]: sends it, shows it, insists on the status.
# A PATH that is a whole URL is another service's.
request() {
    local expected=$1 method=$2 path=$3 url=$base$3 server=$base status option shown
    [[ $path != http* ]] || { url=$path && server=$path; }
    shown="curl -i -X $method '$url'"
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
        "$url" 2>"$work/problem") || fail "$server does not answer: $(cat "$work/problem")" 3
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
        value = value[int(name) if isinstance(value, list) else name]
except (OSError, ValueError, LookupError, TypeError):
    sys.exit(1)
print(value if isinstance(value, str) else json.dumps(value))' "$work/last" "$@" || fail "the answer has no ${*: -1}"
}

# expect VALUE NAME...: the last answer must have this value there.
expect() {
    local expected=$1 found
    shift
    found=$(field "$@")
    [ "$found" = "$expected" ] || fail "${*: -1} is '$found', expected '$expected'"
}

# shellcheck disable=SC2034  # Used by who sources this.
json='Content-Type: application/json'
