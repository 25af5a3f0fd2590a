#!/usr/bin/env bash
# Check the golden files on 64-bit Arm, emulated: on_arm64.sh [--folder FOLDER] [REQUIREMENT...]
# See README.md beside this file.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${PYTHON:-python3}
folder=
if [ "${1-}" = --folder ]; then
    mkdir -p "$2" && folder=$(cd "$2" && pwd)
    shift 2
fi

missing() {
    echo "on_arm64.sh: there is no $1 here: $2" >&2
    exit 2
}
command -v dpkg-deb >/dev/null || missing dpkg-deb "run this on Debian"
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64) ||
    missing qemu-aarch64 "install Debian's qemu-user-static"
"$python" -m pip --version >/dev/null || missing pip "set PYTHON to a Python that has it"

if [ -z "$folder" ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi

# Debian's Python and what it needs, downloaded by an apt with an empty list of what is installed, and unpacked:
# nothing is installed on this machine, and no script of a package is run.
mkdir -p "$folder"/apt/{lists,archives}/partial "$folder/system"
: >"$folder/apt/status"
apt=(
    apt-get -qq -y
    -o APT::Architecture=arm64 -o APT::Architectures::=arm64
    -o APT::Install-Recommends=0 -o APT::Sandbox::User=root -o Debug::NoLocking=1
    -o Dir::State="$folder/apt" -o Dir::State::status="$folder/apt/status"
    -o Dir::State::Lists="$folder/apt/lists"
    -o Dir::Cache="$folder/apt" -o Dir::Cache::Archives="$folder/apt/archives"
)
"${apt[@]}" update
"${apt[@]}" install --download-only python3 libstdc++6 >/dev/null
for package in "$folder"/apt/archives/*.deb; do
    dpkg-deb --extract "$package" "$folder/system"
done
interpreter=$(cd "$folder/system/usr/bin" && ls | grep -xE 'python3\.[0-9]+')

# The wheels for it: those of constraints.txt, unless others are asked for.
if [ $# -eq 0 ]; then
    set -- -c "$root/constraints.txt" numpy numba llvmlite safetensors
else
    set -- "$@" numpy numba llvmlite safetensors
fi
platforms=()
for version in 2_28 2_27 2_17; do platforms+=(--platform "manylinux_${version}_aarch64"); done
rm -rf "$folder/packages"
"$python" -m pip install --quiet --no-warn-conflicts --target "$folder/packages" --only-binary=:all: \
    --implementation cp --python-version "${interpreter#python}" \
    "${platforms[@]}" --platform manylinux2014_aarch64 "$@"

env -i \
    PYTHONHOME="$folder/system/usr" PYTHONPATH="$root/src:$folder/packages" \
    PYTHONDONTWRITEBYTECODE=1 NUMBA_CACHE_DIR="$folder/numba" \
    "$qemu" -L "$folder/system" "$folder/system/usr/bin/$interpreter" -S "$here/check_golden.py"
