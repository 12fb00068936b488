# Sourced by the other scripts: finds a Python that flowtop runs on. POSIX sh.
# shellcheck shell=sh

fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Prints the first Python >= 3.11; fails without one.
find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null && fits "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

# Installs the project with what systemd offers, or without: systemd-python compiles, and not everybody has a compiler.
#   install_project PYTHON LOG EXTRAS-CAPABLE-TARGET [pip options...]
install_project() {
    pip_python=$1 log=$2 target=$3
    shift 3
    if "$pip_python" -m pip install --quiet "$@" "${target}[systemd]" >"$log" 2>&1; then
        return 0
    fi
    echo "systemd-python could not be built, going on without it (the reason is in $log)"
    "$pip_python" -m pip install --quiet "$@" "$target"
}
