#!/usr/bin/env bash
# Makes the units for one facility of several (cubbyd@.service and its like) from those for one daemon, into a folder.
#   deploy/setup/units.sh FOLDER
set -euo pipefail
out=$(realpath "${1:?the folder to write to}")
cd "$(dirname "$0")/../../systemd"
for unit in cubbyd.service cubbyd-health.service cubbyd-health.timer; do
    sed -E \
        -e "1i # Made from $unit by \`make units\`; do not edit." \
        -e '/ is the same for one facility of several; /d' \
        -e 's#one daemon for all mailboxes of /etc/cubbyd/cubbyd\.toml#one daemon for each facility, cubbyd@NAME of /etc/cubbyd/NAME.toml#' \
        -e 's#/etc/cubbyd/(cubbyd|office)\.(toml|password)#/etc/cubbyd/%i.\2#' \
        -e 's#^(User|StateDirectory)=cubbyd$#&-%i#' \
        -e 's#/var/lib/private/cubbyd$#&-%i#' \
        -e 's#^(Wants|PartOf)=(cubbyd|cubbyd-health)\.(service|timer)$#\1=\2@%i.\3#' \
        -e 's#^Description=.*#& (%i)#' \
        "$unit" >"$out/${unit/./@.}"
done
