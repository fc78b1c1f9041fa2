#!/bin/sh
# Unpack Debian packages, with all that they depend on, into a root tree of their own: tree.sh DIR PACKAGE...
# Nothing is installed and nothing of the machine is changed. A tree that is there already is left as it is; a new one is made
# beside it and then takes its name, so that a run that was killed, or a second one, leaves no half of a tree.
set -eu
whole=$1
shift
wanted="$*"
[ ! -f "$whole/.packages" ] || [ "$(cat "$whole/.packages")" != "$wanted" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "$0: only root can make a root tree and change into it" >&2; exit 1; }

tree=$(mktemp -d "$whole-new-XXXXXX")
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
mkdir -p "$tree/archives" "$tree/usr/bin" "$tree/usr/sbin" "$tree/usr/lib" "$tree/usr/lib64" "$tree/dev" "$tree/etc"
for name in bin sbin lib lib64; do ln -s "usr/$name" "$tree/$name"; done  # Debian's packages name both ways into it
cd "$tree/archives"
: > status  # as if nothing was installed, so that apt names every dependency
apt() { apt-get -o Dir::State::status="$PWD/status" -o Debug::NoLocking=1 -o APT::Sandbox::User=root "$@"; }
# A server needs no mail transport, cron or account tools to answer IMAP, though its packages say so.
names=$(apt -s install --no-install-recommends "$@" | awk '$1 == "Inst" { print $2 }' |
    grep -vE '^(exim4|perl-modules|perl$|libperl|cron|adduser|passwd|e2fsprogs|gawk|debconf|usrmerge|db-util|libsemanage|libpam-(modules|runtime))')
[ -n "$names" ] || { echo "$0: apt finds no $wanted; apt-get update?" >&2; exit 1; }
# shellcheck disable=SC2086  (a list of packages)
apt -q -q download $names
for archive in *.deb; do dpkg-deb --fsys-tarfile "$archive" | tar -x --keep-directory-symlink -C "$tree"; done
cd "$tree"
rm -rf archives usr/share/doc usr/share/locale usr/share/man
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/random c 1 8
printf 'root:x:0:0::/:/bin/sh\ncyrus:x:65534:65534::/:/bin/sh\ncourier:x:65534:65534::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' > etc/passwd
printf 'root:x:0:\nmail:x:65534:\ncourier:x:65534:\nnogroup:x:65534:\n' > etc/group
printf '127.0.0.1 localhost\n' > etc/hosts
printf 'passwd: files\ngroup: files\nhosts: files\n' > etc/nsswitch.conf
ldconfig -r "$tree"
echo "$wanted" > .packages
rm -rf "$whole"
mv -T "$tree" "$whole" 2>/dev/null || [ -f "$whole/.packages" ]
