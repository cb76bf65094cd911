#!/bin/sh
# Everything a machine of the course holds before its first boot: packages, kernel modules, the Python environment.
# Also run while a box is built, in a file system nothing runs in yet. With all of it there it needs no network.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
clone=$(dirname "$here") user=vagrant cache=/var/cache/ipvkit

# keep FILE: make it what comes in; what is so already is not touched.
keep() { cat >"$1.new"; if cmp -s "$1.new" "$1"; then rm "$1.new"; else mv "$1.new" "$1"; fi; }

echo "== packages"
missing=''
while read -r package; do
    case $package in ''|\#*) continue ;; esac
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
        missing="$missing $package"
done <"$here/packages"
if [ -n "$missing" ]; then
    # Installing must not start a server: the lessons run theirs inside labs.
    policy=/usr/sbin/policy-rc.d
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; trap 'rm -f $policy' EXIT; }
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update
    # shellcheck disable=SC2086
    apt-get -q install --yes --no-install-recommends $missing </dev/null
fi
for service in docker.service docker.socket containerd.service bird.service hostapd.service wpa_supplicant.service; do
    if systemctl --quiet is-enabled $service 2>/dev/null; then systemctl --quiet disable $service; fi
done

echo "== kernel modules, loaded at boot"
keep /etc/modules-load.d/ipvkit.conf <"$here/modules.conf"

echo "== the course's own environment"
install -d -m 0755 /etc/ipvkit
install -d -m 0755 -o $user -g $user $cache
chown -R $user:$user "$clone"
keep /etc/profile.d/ipvkit.sh <<PROFILE
# This kernel has all a lab needs, so a lab is made of namespaces here. User-Mode Linux is for dockerd alone.
export IPVKIT_CACHE=$cache IPVKIT_MACHINE=native
# Where every instruction is translated, all deadlines are ten times as long.
[ "\$(systemd-detect-virt)" != qemu ] || export IPVKIT_PATIENCE=10
PATH=\$PATH:$cache/venv/bin
PROFILE
as_user() { runuser -u $user -- env HOME=/home/$user IPVKIT_CACHE=$cache IPVKIT_MACHINE=native "$@"; }
as_user "$clone/lab" setup --yes

echo "== User-Mode Linux, for dockerd, which wants a kernel of its own"
[ -e $cache/uml/linux.uml ] || as_user env PYTHONPATH="$clone" $cache/venv/bin/python -m ipvkit.machine.fetch ||
    echo "none for this computer: the step of lesson 11 that starts dockerd will say so"

echo "== pytest, so that the notebooks can be checked in here"
checker=$(grep '^pytest' "$clone/requirements-test.txt")
if [ "$(cat $cache/venv/installed-pytest 2>/dev/null)" != "$checker" ]; then
    # shellcheck disable=SC2086
    as_user $cache/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input $checker
    printf '%s\n' "$checker" >$cache/venv/installed-pytest
fi
