#!/bin/sh
# Ask a database of known faults about every package of uv.lock that an installation may have (all extras, no tools).
#   deploy/audit/dependencies.sh [URL]     the database: an OSV API, https://api.osv.dev/v1/query where none is given
# Ends with 0 where nothing is known against any of them, 1 where something is, 69 where nobody could be asked.
set -eu
cd "$(dirname "$0")/../.."
source=${1:-https://api.osv.dev/v1/query}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

UV_PROJECT_ENVIRONMENT=.venv .venv/bin/uv export --quiet --frozen --no-dev --all-extras --no-emit-project --no-header >"$work/packages"
if .venv-audit/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off --timeout 20 \
    --vulnerability-service osv --osv-url "$source" --requirement "$work/packages" >"$work/found" 2>"$work/said"; then
    echo "Of $(grep -c '==' "$work/packages") packages none has a known fault, says $source."
    exit 0
fi
if grep -q '^Found [0-9]* known vulnerabilit' "$work/said"; then
    cat "$work/said" "$work/found"
    exit 1
fi
tail -n 1 "$work/said" >&2
echo "NOT AUDITED: no answer from $source, so that nothing is known of the dependencies. Try where it can be reached." >&2
exit 69
