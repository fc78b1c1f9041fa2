#!/bin/sh
# A Cyrus IMAP server on loopback, in the foreground: cyrus.sh TREE DIR PORT
# TREE keeps its root tree between runs; DIR, which must not be there yet, becomes a copy of it by links, with its own mail.
# Any user exists, with the password `secret`. Ends with the process group.
set -eu
tree=$1 dir=$2 port=$3
"$(dirname "$0")/tree.sh" "$tree" cyrus-imapd libsasl2-modules-sql libsasl2-modules dash coreutils
cp -al "$tree" "$dir"
cd "$dir"
rm -f etc/imapd.conf etc/cyrus.conf etc/imap.sqlite
cat > etc/imapd.conf <<CONF
configdirectory: /var/lib/cyrus
proc_path: /run/cyrus/proc
mboxname_lockpath: /run/cyrus/lock
idlesocket: /run/cyrus/socket/idle
defaultpartition: default
partition-default: /var/spool/cyrus/mail
servername: localhost
altnamespace: yes
unixhierarchysep: yes
autocreate_quota: 0
allowplaintext: yes
skiplist_unsafe: yes
sasl_mech_list: PLAIN
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sql
sasl_sql_engine: sqlite3
sasl_sql_database: /etc/imap.sqlite
sasl_sql_select: SELECT 'secret'
CONF
cat > etc/cyrus.conf <<CONF
START {
  recover cmd="/usr/lib/cyrus/bin/ctl_cyrusdb -r"
}
SERVICES {
  imap cmd="/usr/lib/cyrus/bin/imapd -U 30" listen="127.0.0.1:$port" proto="tcp4" prefork=1
}
DAEMON {
  idled cmd="/usr/lib/cyrus/bin/idled"
}
CONF
: > etc/imap.sqlite
mkdir -p var/lib/cyrus/db var/lib/cyrus/socket var/lib/cyrus/log var/lib/cyrus/msg var/spool/cyrus/mail tmp \
    run/cyrus/proc run/cyrus/lock run/cyrus/socket
chown -R 65534:65534 var/lib/cyrus var/spool/cyrus run/cyrus
chmod 1777 tmp
exec chroot . /usr/sbin/cyrmaster -p /run/cyrus/master.pid
