#!/bin/sh
# make install, uninstall, purge: the programs in a virtual environment of their own, nothing is fetched at start.
#   $PREFIX/lib/flowtop              the environment
#   $PREFIX/sbin/flowtopd            \
#   $PREFIX/bin/flowtop              / links into it; flowtop-viewer is another name of flowtop
#   $PREFIX/lib/systemd/system, sysusers.d, tmpfiles.d
#   $PREFIX/share                    man pages, completions, documentation, examples
#   /etc/flowtop                     flowtopd.toml and geoip.conf, where they are not there yet
# uninstall leaves /etc/flowtop, /var/lib/flowtop and the user; purge does not.
# DESTDIR is put before every path, for packagers. Needs PREFIX and DESTDIR in the environment.
set -eu
cd "$(dirname "$0")/.."
. scripts/python.sh
. scripts/place.sh

# the system's Python before one in somebody's home, which others may not be able to run
PATH=/usr/bin:$PATH
home=${PREFIX:?}/lib/flowtop
user=flowtop
units="flowtop-geoip-update.timer flowtop-geoip-update.service flowtopd.socket flowtopd.service"
if [ -n "$DESTDIR" ]; then
    mkdir -p "$DESTDIR"
    DESTDIR=$(cd "$DESTDIR" && pwd)
fi
root=$DESTDIR$PREFIX

# Whether this machine, and not a packager's directory, is meant.
here() {
    [ "$(id -u)" = 0 ] && [ -z "$DESTDIR" ]
}

with_systemd() {
    here && [ -d /run/systemd/system ]
}

remove() {
    rm -rf "$DESTDIR${home:?}"
    rm -f "$root/sbin/flowtopd" "$root/bin/flowtop" "$root/bin/flowtop-viewer"
    for unit in $units; do
        rm -f "$root/lib/systemd/system/$unit"
    done
    rm -f "$root/lib/sysusers.d/flowtop.conf" "$root/lib/tmpfiles.d/flowtop.conf"
    rm -rf "$root/share/doc/flowtop"
    for name in flowtop flowtopd; do
        rm -f "$root/share/bash-completion/completions/$name" "$root/share/zsh/vendor-completions/_$name" \
            "$root/share/fish/vendor_completions.d/$name.fish"
    done
    rm -f "$root"/share/man/man[1578]/flowtop.[1578].gz "$root"/share/man/man[1578]/flowtopd.[1578].gz \
        "$root"/share/man/man[1578]/flowtopd.toml.5.gz "$root"/share/man/man[1578]/flowtop-*.[1578].gz
}

add_user() {
    here || return 0
    if command -v systemd-sysusers >/dev/null; then
        systemd-sysusers "$root/lib/sysusers.d/flowtop.conf"
        systemd-tmpfiles --create "$root/lib/tmpfiles.d/flowtop.conf" || true
    else
        getent group "$user" >/dev/null || groupadd --system "$user"
        getent passwd "$user" >/dev/null ||
            useradd --system --gid "$user" --home-dir /var/lib/flowtop --no-create-home --shell /usr/sbin/nologin "$user"
    fi
    ! with_systemd || systemctl daemon-reload
    echo "installed; let a person look with:  usermod -aG $user NAME"
    ! with_systemd || echo "start it, now and at boot, with:    systemctl enable --now flowtopd"
}

configure() {
    mkdir -p "$DESTDIR/etc/flowtop"
    for name in flowtopd.toml geoip.conf; do
        if [ -f "etc/$name" ] && [ ! -e "$DESTDIR/etc/flowtop/$name" ]; then
            copy 644 "$DESTDIR/etc/flowtop" "etc/$name"
        fi
    done
}

# Made by the program itself, where this version has a script for it.
manuals() {
    if [ -f scripts/man.py ]; then
        PYTHONPATH=. "$DESTDIR$home/bin/python" -m scripts.man >/dev/null 2>&1 || echo "install: without man pages" >&2
    fi
}

install() {
    python=$(find_python) || { echo "install: no Python >= 3.11 found" >&2; exit 1; }
    remove
    mkdir -p "$root/lib" "$root/sbin" "$root/bin"
    "$python" -m venv "$DESTDIR$home" ||
        { remove; echo "install: no virtual environment: is python3-venv missing?" >&2; exit 1; }
    install_project "$DESTDIR$home/bin/python" "$DESTDIR$home/install.log" .
    rm -f "$DESTDIR$home/install.log"
    manuals
    if [ -n "$DESTDIR" ]; then
        # an environment knows its own path; it will be used without DESTDIR
        grep -rlIF "$DESTDIR" "$DESTDIR$home/bin" "$DESTDIR$home/pyvenv.cfg" | while read -r file; do
            sed -i "s|$DESTDIR||g" "$file"
        done
    fi
    ln -s ../lib/flowtop/bin/flowtopd "$root/sbin/flowtopd"
    ln -s ../lib/flowtop/bin/flowtop "$root/bin/flowtop"
    ln -s flowtop "$root/bin/flowtop-viewer"
    place_units "$DESTDIR" "$PREFIX/lib/systemd/system" "$PREFIX/lib" "$PREFIX/sbin"
    place_shared "$root/share" build/man
    configure
    add_user
}

uninstall() {
    if with_systemd; then
        # shellcheck disable=SC2086 # a list of words
        systemctl disable --now $units >/dev/null 2>&1 || true
    fi
    remove
    ! with_systemd || systemctl daemon-reload
}

purge() {
    uninstall
    rm -rf "$DESTDIR/etc/flowtop" "$DESTDIR/var/lib/flowtop" "$DESTDIR/run/flowtop"
    if here; then
        ! getent passwd "$user" >/dev/null || userdel "$user"
        ! getent group "$user" >/dev/null || groupdel "$user"
    fi
}

case ${1-} in
install) install ;;
uninstall)
    uninstall
    echo "uninstalled; /etc/flowtop, /var/lib/flowtop and the user $user, if there, are left (make purge removes them)"
    ;;
purge)
    purge
    echo "uninstalled, with configuration, databases and the user $user"
    ;;
*)
    echo "usage: install.sh install|uninstall|purge" >&2
    exit 2
    ;;
esac
