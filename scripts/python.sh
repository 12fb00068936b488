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

# pip_install PYTHON LOG ARGUMENT...: quiet, and shows what pip said only where it failed.
pip_install() {
    pip_python=$1 pip_log=$2
    shift 2
    "$pip_python" -m pip install --quiet --disable-pip-version-check "$@" >"$pip_log" 2>&1 || {
        cat "$pip_log" >&2
        return 1
    }
}

# install_project PYTHON LOG TARGET [pip option...]: with the extra `systemd` where that can be had, else without.
# systemd-python compiles, and not everybody has a compiler.
install_project() {
    project_python=$1 project_log=$2 target=$3
    shift 3
    if pip_install "$project_python" "$project_log" "$@" "${target}[systemd]" 2>/dev/null; then
        return 0
    fi
    cp "$project_log" "$project_log.systemd"
    echo "systemd-python could not be built, going on without it (why is in $project_log.systemd)"
    pip_install "$project_python" "$project_log" "$@" "$target"
}
