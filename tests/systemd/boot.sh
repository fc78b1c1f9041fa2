#!/bin/bash
# Boots this machine's own files with systemd as process 1, beside what runs here, and runs one command in it.
#
#   tests/systemd/boot.sh OUT UNITS COMMAND...
#     OUT      a folder for what comes back: log (what the command said), journal.txt, console; inside it is /out
#     UNITS    a folder of units and drop-ins, copied to /etc/systemd/system inside
#     COMMAND  run inside as root once basic.target is reached; its exit code is this script's; 125: it could not boot
#   BIND="FROM:TO FROM:TO"     folders to be seen inside at another place, read-only
#
# What is written inside goes to memory and is thrown away: the files of this machine are the lower side of an overlay. Process
# ids, mounts, network (loopback alone) and control groups are its own. Needs root, systemd, util-linux.
set -u
[ $# -ge 3 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 64; }
out=$(realpath -m "$1") units=$(realpath "$2"); shift 2
mkdir -p "$out" || exit 125

memory=$(mktemp -d /dev/shm/cubbyd-boot.XXXXXX) || exit 125
groups=/sys/fs/cgroup/unified
[ -e $groups/cgroup.procs ] || groups=/sys/fs/cgroup
group=$groups/cubbyd-boot.$$
clean_up() {
    [ -e "$group/cgroup.kill" ] && echo 1 >"$group/cgroup.kill"
    for _ in $(seq 25); do
        [ -d "$group" ] || break
        find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
        sleep 0.2
    done
    rm -rf --one-file-system "$memory"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
mkdir "$group" 2>/dev/null || { echo "no control group of our own can be made in $groups" >&2; exit 125; }

mkdir "$memory"/{upper,work,root,units,command}
cp -r "$units/." "$memory/units/"
{ echo '#!/bin/sh'; printf 'exec'; printf ' %q' "$@"; echo; } >"$memory/command/run"
chmod 755 "$memory/command/run"

cat >"$memory/units/inside.service" <<'UNIT'
[Unit]
After=basic.target dbus.service
[Service]
Type=oneshot
ExecStart=/run-inside/run
StandardOutput=file:/out/log
StandardError=file:/out/log
TimeoutStartSec=20min
ExecStopPost=/bin/sh -c 'journalctl --no-pager --output=short-precise >/out/journal.txt; systemctl --no-block exit "$EXIT_STATUS"'
UNIT
cat >"$memory/units/inside.target" <<'UNIT'
[Unit]
Requires=basic.target
Wants=dbus.service inside.service
After=basic.target
UNIT

# The first process of the new namespaces: put the file tree together, step into it, become systemd.
cat >"$memory/enter" <<'ENTER'
set -e
root=$MEMORY/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$MEMORY/upper,workdir=$MEMORY/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup" 2>/dev/null || true  # where the host has version 1 there
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
for name in null zero full random urandom tty; do
    touch "$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mkdir -p "$root/out" "$root/run-inside"
mount --bind "$OUT" "$root/out"
mount --bind "$MEMORY/command" "$root/run-inside"
for pair in $BIND; do
    mkdir -p "$root${pair##*:}"
    mount --bind "${pair%%:*}" "$root${pair##*:}"
    mount -o remount,bind,ro "$root${pair##*:}"
done
cp -r "$MEMORY/units/." "$root/etc/systemd/system/"
rm -f "$root/etc/machine-id"
echo uninitialized >"$root/etc/machine-id"
cd "$root"
mkdir -p .before
pivot_root . .before
umount -l /.before
mount --make-rshared /  # as a container's manager would: else no credential is ever seen by a service
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=inside.target \
    --log-target=journal --show-status=no
ENTER

(
    echo $BASHPID >"$group/cgroup.procs"
    export MEMORY=$memory OUT=$out BIND=${BIND:-}
    exec unshare --mount --propagation private --cgroup --pid --fork --kill-child=KILL --uts --ipc --net sh "$memory/enter"
) </dev/null >"$out/console" 2>&1
code=$?
[ -e "$out/log" ] || { echo "it did not boot:" >&2; cat "$out/console" >&2; exit 125; }
exit $code
