#!/bin/sh
# Write the bill of materials of an installation (CycloneDX 1.5, JSON): every package with its version and hashes.
#   deploy/audit/sbom.sh FILE [OPTION...]     options of `uv export`, such as --extra openai; all extras where none is given
# The same uv.lock gives the same file: the moment is that of $SOURCE_DATE_EPOCH, or of the last commit.
set -eu
out=$1
shift
[ $# -gt 0 ] || set -- --all-extras
mkdir -p "$(dirname "$out")"
out=$(realpath "$out")
cd "$(dirname "$0")/../.."
moment=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
UV_PROJECT_ENVIRONMENT=.venv .venv/bin/uv export --quiet --frozen --no-dev "$@" --format cyclonedx1.5 |
    .venv/bin/python -c '
import json, sys
from datetime import UTC, datetime
from cubbyd import __version__
bill = json.load(sys.stdin)
bill.pop("serialNumber", None)  # it would be another one each time
bill["metadata"]["timestamp"] = datetime.fromtimestamp(int(sys.argv[1]), UTC).isoformat().replace("+00:00", "Z")
bill["metadata"]["component"]["version"] = __version__
json.dump(bill, sys.stdout, indent=1)
' "$moment" >"$out"
echo "$out"
