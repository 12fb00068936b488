# Sourced by install.sh and deb.sh: what is installed beside the programs. POSIX sh.
# shellcheck shell=sh

# copy MODE TARGET FILE...: into the directory TARGET, made where it is missing.
copy() {
    mode=$1 target=$2
    shift 2
    mkdir -p "$target"
    for file; do
        if [ -f "$file" ]; then
            cp "$file" "$target/"
            chmod "$mode" "$target/${file##*/}"
        fi
    done
}

# place_units ROOT UNITS LIB SBIN: units into ROOT/UNITS, sysusers.d and tmpfiles.d below ROOT/LIB; the daemon is in SBIN.
place_units() {
    copy 644 "$1$2" systemd/*.service systemd/*.socket systemd/*.timer
    for unit in systemd/*.service; do
        sed -i "s|/usr/sbin/flowtopd|$4/flowtopd|g" "$1$2/${unit##*/}"
    done
    for kind in sysusers.d tmpfiles.d; do
        copy 644 "$1$3/$kind" "systemd/$kind/flowtop.conf"
    done
}

# place_shared SHARE MAN: completions of shells, and the man pages in MAN, where there are any.
place_shared() {
    for section in 1 5 7 8; do
        for page in "$2"/*."$section"; do
            if [ -f "$page" ]; then
                copy 644 "$1/man/man$section" "$page"
                gzip -9nf "$1/man/man$section/${page##*/}"
            fi
        done
    done
    for name in flowtop flowtopd; do
        if [ -f "completions/$name.bash" ]; then
            copy 644 "$1/bash-completion/completions" "completions/$name.bash"
            mv "$1/bash-completion/completions/$name.bash" "$1/bash-completion/completions/$name"
            copy 644 "$1/zsh/vendor-completions" "completions/_$name"
            copy 644 "$1/fish/vendor_completions.d" "completions/$name.fish"
        fi
    done
    copy 644 "$1/doc/flowtop" README.md CHANGELOG.md
    copy 644 "$1/doc/flowtop/examples" etc/*.conf etc/*.toml packaging/openrc/flowtopd packaging/procd/flowtopd.init
}
