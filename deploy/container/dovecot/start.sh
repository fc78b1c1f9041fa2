#!/bin/sh
# Makes the trial's certificate and user, then becomes Dovecot.
set -eu
name=${SERVER_NAME:-dovecot}
folder=/srv/certificate
if [ ! -s $folder/server.pem ]; then
    umask 077
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$name" -addext "subjectAltName=DNS:$name" \
        -keyout $folder/server.key -out $folder/server.new 2>/dev/null
    chmod 644 $folder/server.new
    mv $folder/server.new $folder/server.pem
fi
(umask 077 && printf 'office:{PLAIN}%s\n' "$(cat /run/secrets/office)" >/run/dovecot/users)
exec dovecot -F
