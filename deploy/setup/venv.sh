#!/bin/sh
# Make a virtual environment with the first Python that is new enough; usage: venv.sh [PYTHON] FOLDER
set -eu
wanted=$1 folder=$2

is_new_enough() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

python=
for candidate in $wanted python3 python3.13 python3.12 python3.11 python3.14; do
    if is_new_enough "$candidate"; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
    echo "cubbyd needs Python 3.11 or newer and found none; install it, or say which: make PYTHON=/path/to/python3 …" >&2
    exit 1
fi

if "$python" -m venv "$folder" >/dev/null 2>&1; then exit 0; fi
rm -rf "$folder"

# Debian and Ubuntu keep the part of Python that makes virtual environments in a package of its own.
package=python3-venv
if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then run=; elif sudo -n true 2>/dev/null; then run=sudo; else run=no; fi
    if [ "$run" != no ]; then
        echo "Installing $package, which $python needs to make a virtual environment …" >&2
        $run apt-get update -qq && $run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null
        exec "$python" -m venv "$folder"
    fi
fi
echo "$python cannot make a virtual environment; give this command and try again: sudo apt-get install $package" >&2
exit 1
