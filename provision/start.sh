#!/bin/sh
# usage: start.sh PORT: what a machine of the course does from its first boot on. PORT is where the user's own computer
# forwards JupyterLab to; it is only printed.
#
# No password, no published key and no port stays open but JupyterLab's, which asks for a token, and SSH with a key.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
clone=$(dirname "$here") user=vagrant cache=/var/cache/ipvkit port=$1
token=/etc/ipvkit/token unit=/etc/systemd/system/ipvkit.service

# keep FILE: make it what comes in; what is so already is not touched.
keep() { cat >"$1.new"; if cmp -s "$1.new" "$1"; then rm "$1.new"; else mv "$1.new" "$1"; fi; }

echo "== kernel modules"
grep -v '^#' "$here/modules.conf" | while read -r module; do
    modprobe "$module" || { echo "the kernel $(uname -r) has no module $module" >&2; exit 1; }
done

echo "== no password opens this machine"
for account in root $user; do
    [ "$(passwd --status "$account" | cut -d' ' -f2)" = L ] || passwd --quiet --lock "$account"
done
sshd=/etc/ssh/sshd_config.d/ipvkit.conf
if [ ! -e $sshd ]; then  # a public box; ours comes with it
    printf 'PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n' >$sshd
    systemctl reload ssh
fi

echo "== JupyterLab, as the user $user"
if [ ! -s $token ]; then
    ( umask 077; printf 'JUPYTER_TOKEN=%s\n' "$(python3 -c 'import secrets; print(secrets.token_hex(24))')" >$token )
    chown $user:$user $token
fi
patience=1
[ "$(systemd-detect-virt)" != qemu ] || patience=10  # every instruction is translated: all deadlines ten times as long
printf '%s\n' "$port" | keep /etc/ipvkit/port
cmp -s "$here/ipvkit-address" /usr/local/bin/ipvkit-address || install "$here/ipvkit-address" /usr/local/bin/
keep $unit <<UNIT
[Unit]
Description=The ipvkit course in JupyterLab
After=network.target systemd-modules-load.service

[Service]
User=$user
Environment=HOME=/home/$user IPVKIT_CACHE=$cache IPVKIT_MACHINE=native IPVKIT_PATIENCE=$patience
EnvironmentFile=$token
# All addresses of this virtual machine: the user's own computer forwards to it from 127.0.0.1 only.
ExecStart=$clone/lab --no-browser -- --ServerApp.ip=0.0.0.0 --ServerApp.port=8888 --ServerApp.port_retries=0
Restart=on-failure

[Install]
WantedBy=multi-user.target
UNIT
# What runs must be what is installed: a changed unit, course or environment is a reason to start afresh.
wanted=$(cat $unit "$clone/.unpacked" $cache/venv/installed-* | sha256sum)
if [ "$(cat /etc/ipvkit/running 2>/dev/null)" != "$wanted" ] || ! systemctl --quiet is-active ipvkit; then
    systemctl daemon-reload
    systemctl --quiet enable ipvkit
    systemctl restart ipvkit
    printf '%s\n' "$wanted" >/etc/ipvkit/running
fi
