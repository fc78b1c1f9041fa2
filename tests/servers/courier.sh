#!/bin/sh
# A Courier-IMAP server on loopback, in the foreground: courier.sh TREE DIR PORT
# TREE keeps its root tree between runs; DIR, which must not be there yet, becomes a copy of it by links, with its own mail.
# Any user exists, with the password `secret`. Ends with the process group.
set -eu
tree=$1 dir=$2 port=$3
"$(dirname "$0")/tree.sh" "$tree" courier-imap courier-authlib-pipe dash coreutils
cp -al "$tree" "$dir"
cd "$dir"
rm -f etc/courier/authdaemonrc etc/courier/authProg
cat > etc/courier/authdaemonrc <<CONF
authmodulelist="authpipe"
authmodulelistorig="authpipe"
daemons=2
authdaemonvar=/run/courier/authdaemon
CONF
# Courier asks this program, over a pipe, who may log in (authpipe's protocol, as in its README.authlib).
cat > etc/courier/authProg <<'PROGRAM'
#!/bin/sh
account() {
    home=/home/$1
    if [ ! -d "$home" ]; then
        mkdir -p "$home/Maildir/cur" "$home/Maildir/new" "$home/Maildir/tmp"
        chown -R 65534:65534 "$home"
    fi
    printf 'UID=65534\nGID=65534\nHOME=%s\nADDRESS=%s\n.\n' "$home" "$1"
}
while read -r command rest; do
    case $command in
    PRE)
        account "${rest##* }"
        ;;
    AUTH)
        read -r _service; read -r kind; read -r user; read -r password
        if [ "$kind" = login ] && [ "$password" = secret ]; then account "$user"; else echo FAIL; fi
        ;;
    *)
        echo FAIL
        ;;
    esac
done
PROGRAM
chmod 755 etc/courier/authProg
mkdir -p run/courier/authdaemon home tmp
chown 65534:65534 run/courier/authdaemon home
exec chroot . /bin/sh -c '
set -a
. /etc/courier/authdaemonrc
/usr/lib/courier/courier-authlib/authdaemond &
. /etc/courier/imapd-ssl
. /etc/courier/imapd
IMAP_STARTTLS=NO
umask 022
IMAP_IDLE_TIMEOUT=2  # it looks for new mail so often; in seconds, and 60 by default
exec /usr/sbin/couriertcpd -address=127.0.0.1 -maxprocs=200 -maxperip=200 -nodnslookup -noidentlookup \
    "$1" /usr/lib/courier/courier/imaplogin /usr/bin/imapd Maildir
' sh "$port"
