#!/usr/bin/env bash
# Reads a secret with curl: no SDK, only an SVID in files. Prints {"data":{...}}.
#
#   examples/curl/read-secret.sh SVID_DIRECTORY PATH
#
# The directory holds svid.pem, key.pem and bundle.pem, as `spike-dev-agent fetch --socket SOCKET --write DIR` writes
# them. With SPIRE: `spire-agent api fetch x509 -write DIR`, and the names svid.0.pem, svid.0.key, bundle.0.pem. curl
# verifies host names, so the SVID of Nexus needs the DNS name that the URL has (`-dns localhost` of the entry).
set -euo pipefail
directory=${1:?usage: read-secret.sh SVID_DIRECTORY PATH}
path=${2:?usage: read-secret.sh SVID_DIRECTORY PATH}

exec curl --silent --show-error --fail-with-body --max-time 30 \
    --cert "$directory/svid.pem" --key "$directory/key.pem" --cacert "$directory/bundle.pem" \
    "${SPIKE_NEXUS_API_URL:-https://localhost:8553}/v1/secrets/$path"
