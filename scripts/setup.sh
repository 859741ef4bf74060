# Sourced by scripts/train and scripts/test: `packtrain_setup EXTRA` makes .venv with the project and
# that extra, at the versions of constraints.txt; it does nothing where that has been done.

packtrain_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

packtrain_python() {
    local candidate
    for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "packtrain needs Python 3.11, 3.12 or 3.13 and found none of them; PYTHON=/path/to/python names one" >&2
    return 1
}

packtrain_setup() {
    local extra=$1 venv=$packtrain_root/.venv python stamp
    stamp=$venv/.installed-$extra-$(cat "$packtrain_root/pyproject.toml" "$packtrain_root/constraints.txt" | cksum | tr -d ' ')
    if [ -e "$stamp" ]; then
        return
    fi
    if [ ! -e "$venv/bin/python" ]; then
        python=$(packtrain_python) || return
        echo "making $venv with $("$python" --version) (once)" >&2
        # Some distributions leave ensurepip out of Python: then pip installs from outside.
        "$python" -m venv "$venv" 2>/dev/null || "$python" -m venv --clear --without-pip "$venv" || return
    fi
    echo "installing packtrain[$extra] into $venv (once; torch is large)" >&2
    if [ -e "$venv/bin/pip" ]; then
        set -- "$venv/bin/python" -m pip
    else
        set -- python3 -m pip --python "$venv/bin/python"
    fi
    "$@" install --quiet --disable-pip-version-check --constraint "$packtrain_root/constraints.txt" \
        --editable "$packtrain_root[$extra]" >&2 || return
    echo "compiling the loops that all equations share (once; half a minute)" >&2
    "$venv/bin/python" -m packtrain.kernels.warm >&2 || return
    touch "$stamp"
}
