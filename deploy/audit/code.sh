#!/bin/sh
# Look through the code with bandit and with our own rules for semgrep; it ends with 1 where they find anything.
#   deploy/audit/code.sh [FOLDER]     daemon/ where none is given
# An exception stands beside the line, with its reason: "# nosec B123", "# nosemgrep: rule".
set -eu
cd "$(dirname "$0")/../.."
folder=${1:-daemon} code=0
.venv-audit/bin/bandit --quiet --configfile pyproject.toml --recursive "$folder" 2>/dev/null || code=1
SEMGREP_SETTINGS_FILE=$PWD/.venv-audit/semgrep.yml SEMGREP_LOG_FILE=$PWD/.venv-audit/semgrep.log PATH=$PWD/.venv-audit/bin:$PATH \
    .venv-audit/bin/semgrep scan --config deploy/audit/rules.yml --metrics off --disable-version-check --error --quiet \
    --no-git-ignore --jobs 1 "$folder" || code=1
[ $code = 0 ] && echo "bandit and semgrep find nothing in $folder."
exit $code
