#!/bin/sh
# Install what `make test-deploy` needs: linters and Ansible into a folder, buildah and podman with apt where that may be done.
#   deploy/setup/tools.sh PYTHON FOLDER
set -eu
cd "$(dirname "$0")/../.."
python=$1 folder=$2 list=tests/deploy/tools.txt
if ! cmp -s "$list" "$folder/installed"; then
    rm -rf "$folder"
    "$python" -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --requirement "$list"
    cp "$list" "$folder/installed"
fi

missing=
for program in buildah podman crun mmdebstrap; do command -v $program >/dev/null 2>&1 || missing="$missing $program"; done
/usr/bin/python3 -c 'import apt' 2>/dev/null || missing="$missing python3-apt"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing$missing to test the image and the role …" >&2
    # shellcheck disable=SC2086  (a list of packages)
    if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
        exit 0
    fi
fi
echo "What needs them will be skipped. To test it: sudo apt-get install$missing" >&2
