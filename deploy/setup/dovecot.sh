#!/bin/sh
# Install Dovecot, and what else the tests need of the system, where that may be done; else say which command to give, and let the tests skip.
set -eu
PATH=$PATH:/usr/sbin:/usr/local/sbin
missing=
command -v dovecot >/dev/null 2>&1 || missing="dovecot-imapd"
command -v openssl >/dev/null 2>&1 || missing="$missing openssl"
command -v strace >/dev/null 2>&1 || missing="$missing strace"
[ -n "$missing" ] || exit 0

if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then run=; elif sudo -n true 2>/dev/null; then run=sudo; else run=no; fi
    if [ "$run" != no ]; then
        echo "Installing $missing for the tests (its own service is not started) …" >&2
        # A policy that forbids starting services keeps the system's own Dovecot down; it is taken away again.
        policy=/usr/sbin/policy-rc.d
        if [ ! -e "$policy" ]; then
            printf '#!/bin/sh\nexit 101\n' | $run tee "$policy" >/dev/null && $run chmod +x "$policy"
            trap '$run rm -f "$policy"' EXIT
        fi
        # shellcheck disable=SC2086  (a list of packages)
        if $run apt-get update -qq && $run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
            exit 0
        fi
    fi
fi
echo "The tests that need these will be SKIPPED. To run them: sudo apt-get install $missing" >&2
