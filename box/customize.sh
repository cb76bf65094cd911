#!/bin/sh
# usage: customize.sh ROOT CLONE: turn a Debian root file system that nothing runs in yet into a Vagrant box with the
# course. mmdebstrap calls it, with /proc in place and with its own guard against services that want to start.
#
# Its law: no password works, every secret (host keys, token) is made at the first boot, and the one key that lets
# Vagrant in that first time is Vagrant's published one, which `vagrant up` replaces.
set -eu
root=$1 clone=$2
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)

inside() {  # the environment of this computer stays outside, but for the way to the network
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
        ${IPVKIT_BOX_CA:+PIP_CERT=/tmp/authority.pem} chroot "$root" "$@"
}

user() {
    inside useradd --create-home --shell /bin/bash --user-group vagrant
    inside passwd --quiet --lock root
    echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/vagrant"
    chmod 0440 "$root/etc/sudoers.d/vagrant"
    install -d -m 0700 "$root/home/vagrant/.ssh"
    install -m 0600 "$here/vagrant.pub" "$root/home/vagrant/.ssh/authorized_keys"
    inside chown -R vagrant:vagrant /home/vagrant/.ssh
}

ssh_server() {
    printf '%s\n' 'PasswordAuthentication no' 'KbdInteractiveAuthentication no' 'PermitRootLogin no' 'UseDNS no' \
        >"$root/etc/ssh/sshd_config.d/ipvkit.conf"
    rm -f "$root"/etc/ssh/ssh_host_*
    mkdir -p "$root/etc/systemd/system/ssh.service.d"
    printf '%s\n' '[Service]' 'ExecStartPre=' 'ExecStartPre=/usr/bin/ssh-keygen -A' 'ExecStartPre=/usr/sbin/sshd -t' \
        >"$root/etc/systemd/system/ssh.service.d/host-keys.conf"
}

network() {
    echo ipvkit >"$root/etc/hostname"
    printf '127.0.0.1 localhost\n127.0.1.1 ipvkit\n::1 localhost\n' >"$root/etc/hosts"
    printf '[Match]\nName=eth0\n[Network]\nDHCP=yes\n' >"$root/etc/systemd/network/80-eth0.network"
    # A resolver for this machine only: without these two it would answer on the network.
    mkdir -p "$root/etc/systemd/resolved.conf.d"
    printf '[Resolve]\nLLMNR=no\nMulticastDNS=no\n' >"$root/etc/systemd/resolved.conf.d/ipvkit.conf"
    inside systemctl --quiet enable systemd-networkd systemd-resolved ssh
    inside systemctl --quiet disable systemd-networkd-wait-online
}

course() {
    install -d -m 0755 "$root/opt/ipvkit"
    tar -C "$root/opt/ipvkit" -xf "$clone"
    [ -z "${IPVKIT_BOX_CA:-}" ] || cp "$IPVKIT_BOX_CA" "$root/tmp/authority.pem"
    # Installing systemd-resolved made this a link to a resolver that does not run yet.
    rm -f "$root/etc/resolv.conf"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    inside sh /opt/ipvkit/provision/install.sh
    rm -f "$root/tmp/authority.pem"
    # shellcheck disable=SC2016  # dpkg-query's own words, not the shell's
    inside dpkg-query --show --showformat='${Package} ${Version} ${Architecture}\n' >"$root/etc/ipvkit/packages"
    inside /var/cache/ipvkit/venv/bin/python -m pip --disable-pip-version-check freeze >"$root/etc/ipvkit/python-packages"
}

boot_loader() {  # everything GRUB needs is built into one image, so a menu file is all it reads from the disk
    echo 'LABEL=ipvkit-root / ext4 defaults,noatime 0 1' >"$root/etc/fstab"
    mkdir -p "$root/boot/grub"
    architecture=$(inside dpkg --print-architecture)
    case $architecture in arm64) serial=ttyAMA0 ;; *) serial=ttyS0,115200 ;; esac
    cat >"$root/boot/grub/grub.cfg" <<MENU
search --no-floppy --label --set=root ipvkit-root
linux /vmlinuz root=LABEL=ipvkit-root ro net.ifnames=0 console=tty0 console=$serial quiet
initrd /initrd.img
boot
MENU
    case $architecture in
        amd64)
            inside grub-mkimage --format=i386-pc --prefix='(hd0,msdos1)/boot/grub' --output=/boot/grub/core.img \
                biosdisk part_msdos ext2 search search_label linux normal configfile echo
            cp "$root/usr/lib/grub/i386-pc/boot.img" "$root/boot/grub/boot.img" ;;
        arm64)
            echo 'LABEL=IPVKIT-EFI /boot/efi vfat defaults,nofail 0 1' >>"$root/etc/fstab"
            mkdir -p "$root/boot/efi"
            inside grub-mkimage --format=arm64-efi --prefix='(hd0,gpt2)/boot/grub' --output=/boot/grub/core.img \
                part_gpt ext2 search search_label linux normal configfile echo ;;
    esac
}

user
ssh_server
network
course
boot_loader
ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
