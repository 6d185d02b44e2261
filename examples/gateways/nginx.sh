#!/usr/bin/env bash
# Tries nginx.conf as whoever you are: nginx stays in the foreground, Ctrl-C ends it.
#
#   examples/gateways/nginx.sh [CONFIGURATION]
#
# Debian's nginx writes its log and its buffers to /var, as root. This keeps them in
# instance/nginx, or in NGINX_FOLDER. PORT, SERVICE_PORT and GATEWAY_PORT replace the ports of the
# configuration (8000: ragauth, 9000: the service, 8080: nginx itself).
#
# Exit code: 2 nginx is missing, else nginx's own.

set -euo pipefail

# Where Debian has it; an ordinary account's PATH may not lead there.
PATH=$PATH:/usr/sbin
command -v nginx >/dev/null || { echo "nginx is missing (Debian: apt-get install nginx)" >&2; exit 2; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
configuration=${1:-$here/nginx.conf}
mkdir -p "${NGINX_FOLDER:=$here/../../instance/nginx}"
folder=$(cd "$NGINX_FOLDER" && pwd)

buffers=
for name in client_body proxy fastcgi uwsgi scgi; do
    buffers+=" ${name}_temp_path $name;"
done
sed -e "s/^http {/http { access_log access.log;$buffers/" \
    -e "s/127\.0\.0\.1:8000;/127.0.0.1:${PORT:-8000};/" \
    -e "s/127\.0\.0\.1:9000;/127.0.0.1:${SERVICE_PORT:-9000};/" \
    -e "s/127\.0\.0\.1:8080;/127.0.0.1:${GATEWAY_PORT:-8080};/" \
    "$configuration" >"$folder/running.conf"

# As root, nginx would hand its workers to an account that may not be able to write here.
user=
[ "$EUID" != 0 ] || user="user root;"
exec nginx -p "$folder/" -c "$folder/running.conf" -e stderr -g "daemon off; pid nginx.pid; $user"
