#!/usr/bin/env bash
# Makes .venv-ray, with Ray and Hydra's launcher for it, and all that .venv has: an environment of its own,
# since that launcher needs a cloudpickle before 3, and joblib one from 3 on.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
venv=$root/.venv-ray list=$root/scripts/cluster/ray.txt
stamp=$venv/.installed-$(cksum <"$list" | tr -d ' ')
if [ -e "$stamp" ]; then
    exit
fi
purelib() { "$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }
rm -rf "$venv"
"$root/.venv/bin/python" -m venv --without-pip "$venv"
printf '%s\n' "$(purelib "$root/.venv")" "$root/.src" >"$(purelib "$venv")/beside.pth"
if [ -e "$root/.venv/bin/pip" ]; then
    set -- "$root/.venv/bin/python" -m pip
else
    set -- python3 -m pip
fi
"$@" --python "$venv/bin/python" install --quiet --disable-pip-version-check --no-deps --requirement "$list"
touch "$stamp"
