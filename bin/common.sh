# Shared by the commands: makes .venv and keeps it as the lock file says. Sourced, not run.

# With its bytecode kept, a process is there in two thirds of the time; images often forbid it.
unset PYTHONDONTWRITEBYTECODE

say() { printf '%s\n' "$*" >&2; }

# Install these Debian packages in one go, asking nothing; say what to do where that cannot be.
apt_install() {
  say "Installing $*"
  root=
  if [ "$(id -u)" != 0 ]; then root="sudo -n"; fi
  if command -v apt-get >/dev/null && { [ -z "$root" ] || command -v sudo >/dev/null; }; then
    apt="$root env DEBIAN_FRONTEND=noninteractive apt-get -qq"
    # An index that cannot be had does not matter as long as the packages can.
    $apt update || true
    $apt install -y --no-install-recommends "$@" >/dev/null && return
  fi
  say "They cannot be installed from here. As root:"
  say "    apt-get update && apt-get install --no-install-recommends $*"
  say "Then run it again."
  exit 1
}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# make_venv LOCKFILE: a virtual environment with exactly what the lock names. Quick when it has.
make_venv() {
  # The system's own comes first: it is built with profile and link-time optimisation, which one
  # that a version manager compiled mostly is not, and runs the shop 1.6 times as fast.
  python=/usr/bin/python3
  is_new_enough $python || python=python3
  python=${PYTHON:-$python}
  # Made elsewhere (a copied tree), or by a Python that is gone: of no use here.
  if ! grep -qsx "command = .* $PWD/.venv" .venv/pyvenv.cfg || ! .venv/bin/python -c ''; then
    command -v "$python" >/dev/null || apt_install python3 python3-venv ca-certificates
    is_new_enough "$python" || {
      say "Hardshelf needs Python 3.11 or newer; this is $("$python" --version)."
      say "Name another one: PYTHON=python3.12 $0"
      exit 1
    }
    "$python" -c 'import ensurepip' 2>/dev/null || apt_install python3-venv ca-certificates
    rm -rf .venv
    "$python" -m venv "$PWD/.venv" || exit 1
  fi
  installed=".venv/.installed-$1"
  cmp -s "$1" "$installed" && return
  say "Installing what $1 names"
  # uv is quicker, and trusts what the machine trusts if told so. pip does the same, only slower.
  [ -s /etc/ssl/certs/ca-certificates.crt ] && export UV_SYSTEM_CERTS=1
  pip=".venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes"
  [ -x .venv/bin/uv ] || $pip -r requirements-uv.txt || true
  .venv/bin/uv pip install --quiet --compile-bytecode --require-hashes \
    --python .venv/bin/python -r "$1" || $pip -r "$1" || exit 1
  cp "$1" "$installed"
}
