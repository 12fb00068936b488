#!/bin/sh
# make install / make uninstall: the programs in a virtual environment of their own, nothing is fetched at start.
#   $PREFIX/lib/flowtop      the environment
#   $PREFIX/sbin/flowtopd    \ links into it
#   $PREFIX/bin/flowtop      /
# DESTDIR is put before every path, for packagers. Needs PREFIX and DESTDIR in the environment.
set -eu
cd "$(dirname "$0")/.."
. scripts/python.sh

# the system's Python before one in somebody's home, which others may not be able to run
PATH=/usr/bin:$PATH
home=${PREFIX:?}/lib/flowtop
group=flowtop
if [ -n "$DESTDIR" ]; then
    mkdir -p "$DESTDIR"
    DESTDIR=$(cd "$DESTDIR" && pwd)
fi

remove() {
    rm -rf "$DESTDIR${home:?}"
    rm -f "$DESTDIR$PREFIX/sbin/flowtopd" "$DESTDIR$PREFIX/bin/flowtop"
}

add_group() {
    if [ "$(id -u)" != 0 ] || [ -n "$DESTDIR" ]; then
        return
    fi
    getent group "$group" >/dev/null || groupadd --system "$group"
    echo "installed; let a person look with:  usermod -aG $group NAME"
}

install() {
    python=$(find_python) || { echo "install: no Python >= 3.11 found" >&2; exit 1; }
    remove
    mkdir -p "$DESTDIR$PREFIX/lib" "$DESTDIR$PREFIX/sbin" "$DESTDIR$PREFIX/bin"
    "$python" -m venv "$DESTDIR$home" ||
        { remove; echo "install: no virtual environment: is python3-venv missing?" >&2; exit 1; }
    install_project "$DESTDIR$home/bin/python" "$DESTDIR$home/install.log" .
    rm -f "$DESTDIR$home/install.log"
    if [ -n "$DESTDIR" ]; then
        # an environment knows its own path; it will be used without DESTDIR
        grep -rlIF "$DESTDIR" "$DESTDIR$home/bin" "$DESTDIR$home/pyvenv.cfg" | while read -r file; do
            sed -i "s|$DESTDIR||g" "$file"
        done
    fi
    ln -s ../lib/flowtop/bin/flowtopd "$DESTDIR$PREFIX/sbin/flowtopd"
    ln -s ../lib/flowtop/bin/flowtop "$DESTDIR$PREFIX/bin/flowtop"
    add_group
}

case ${1-} in
install) install ;;
uninstall)
    remove
    echo "uninstalled; /etc/flowtop and the group $group, if there, are left"
    ;;
*)
    echo "usage: install.sh install|uninstall" >&2
    exit 2
    ;;
esac
