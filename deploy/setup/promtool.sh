#!/bin/sh
# Check and test the alert rules with promtool: the one of this machine, else Debian's, unpacked into the folder that is named.
# Nothing is installed, and no Prometheus is started.
set -eu
cache=$1
rules=$(cd "$(dirname "$0")/../prometheus" && pwd)
tool=$(command -v promtool || true)
if [ -z "$tool" ]; then
    tool=$cache/usr/bin/promtool
    if [ ! -x "$tool" ]; then
        command -v apt-get >/dev/null 2>&1 || { echo "no promtool on this machine: install Prometheus, which brings it" >&2; exit 1; }
        mkdir -p "$cache"
        [ "$(id -u)" != 0 ] || apt-get update -qq
        (cd "$cache" && apt-get -o APT::Sandbox::User=root download -q prometheus && dpkg -x prometheus_*.deb . && rm -f prometheus_*.deb) >&2
    fi
    case $tool in /*) ;; *) tool=$PWD/$tool ;; esac
fi
cd "$rules"
"$tool" check rules cubbyd.rules.yml
"$tool" test rules tests.yml
