#!/bin/sh
# make setup: the system packages that are missing, then .venv with the project and its development tools.
# Quick when there is nothing to do. Without root it says what to install, and goes on as far as it can.
set -eu
cd "$(dirname "$0")/.."
. scripts/python.sh

venv=.venv
stamp=$venv/setup.stamp
log=$venv/setup.log
# conntrack..ping: the test bed; shellcheck: `make check`; netsniff-ng: the classic flowtop, for `make bench`;
# iptstate iperf3: for `make compare`; mandoc groff-base: man pages; zsh fish: their completion; openssh: `flowtop --host`;
# gcc pkg-config libsystemd-dev: systemd-python; dnsmasq-base: a DNS and DHCP server; ieee-data: vendors of MAC addresses
# systemd..mmdebstrap: `make test-system`
packages="conntrack nftables iproute2 iptables tmux strace netsniff-ng procps iputils-ping git shellcheck
    gcc libc6-dev pkg-config libsystemd-dev dnsmasq-base ieee-data mandoc groff-base zsh fish iptstate iperf3
    openssh-client openssh-server jq systemd systemd-container mmdebstrap"

say() {
    echo "setup: $*"
}

# Python of Debian comes in parts; one that was built by hand or by pyenv has them all.
python_packages() {
    if ! python=$(find_python); then
        echo python3 python3-venv python3-dev
    elif [ "$("$python" -c 'import sys; print(sys.base_prefix)')" = /usr ]; then
        echo python3-venv python3-dev
    fi
}

# Names of those arguments that are not installed.
missing() {
    for package; do
        case $(dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null) in
        ?i*) ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

system_packages() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        say "this is not Debian: tests need conntrack, nft, ip, tmux and strace from your distribution"
        return
    fi
    # shellcheck disable=SC2046,SC2086 # lists of words
    wanted=$(missing $packages $(python_packages))
    if [ -z "$wanted" ]; then
        return
    fi
    if [ "$(id -u)" != 0 ]; then
        say "Debian packages are missing; install them with"
        say "    sudo apt-get install $wanted"
        return
    fi
    say "installing Debian packages: $wanted"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # a list of words
    apt-get install -qq --no-install-recommends $wanted </dev/null >/dev/null 2>&1 ||
        { apt-get update -qq && apt-get install -qq --no-install-recommends $wanted; } </dev/null >/dev/null ||
        say "apt-get failed; going on without: $(missing $wanted)"
}

# What decides whether .venv is up to date: what it is made from, where it is, and what systemd-python needs.
fingerprint() {
    cksum pyproject.toml scripts/setup.sh scripts/python.sh
    pwd
    "$venv/bin/python" --version
    { command -v gcc && pkg-config --modversion libsystemd; } || echo "no systemd-python"
}

virtual_environment() {
    if [ -e "$venv" ] && ! fits "$venv/bin/python"; then
        say "$venv has no working Python >= 3.11, making it anew"
        rm -rf "$venv"
    fi
    if [ ! -e "$venv" ]; then
        python=$(find_python) || { say "no Python >= 3.11 found" >&2; exit 1; }
        say "making $venv with $("$python" --version)"
        "$python" -m venv "$venv" || { rm -rf "$venv"; say "no virtual environment: is python3-venv missing?" >&2; exit 1; }
    fi
    if [ "$(fingerprint 2>/dev/null)" = "$(cat "$stamp" 2>/dev/null)" ]; then
        say "up to date"
        return
    fi
    rm -f "$stamp"
    say "installing Python packages"
    # --group is new in pip 25.1
    pip_install "$venv/bin/python" "$log" --upgrade 'pip>=25.1'
    pip_install "$venv/bin/python" "$log" --group dev
    install_project "$venv/bin/python" "$log" . --editable
    fingerprint >"$stamp" 2>/dev/null
    say "done: $venv/bin/flowtopd, $venv/bin/flowtop"
}

system_packages
virtual_environment
