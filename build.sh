#!/usr/bin/env bash
# One command for everything; see README.md. Makes .venv on first use.
set -euo pipefail
caller=$PWD
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$root"

# Run in the caller's folder, where the paths of the command line are meant.
headrace() {
  cd "$caller"
  exec "$root/.venv/bin/python" -P -m headrace "$@"
}

usage() {
  local boards=(finn_build/boards/*.toml)
  boards=("${boards[@]##*/}")
  cat <<'EOF'
usage: ./build.sh BOARD [--model NAME|FILE.onnx] [--target-fps N] [--images N] [...]
       ./build.sh demo [--images N] classify real images on the simulated chip
       ./build.sh boards [--out docs/boards.md]  the boards, and what a model would reach on each
       ./build.sh doctor            what was found on this machine, what is missing
       ./build.sh train [...]       train a network, float and quantised
       ./build.sh series FILE.toml  a list of trainings, one after the other; docs/training.md
       ./build.sh paper [NAME...]   train what the paper reports, all or some; writes docs/paper.md
       ./build.sh prune [...]       remove filters of a trained network
       ./build.sh grow [...]        search for a network, from one convolution up
       ./build.sh sweep FILE.toml   search bits, filters and folding together; docs/sweep.md
       ./build.sh test [...]        check, then all tests (--slow: those of minutes too; --data=DIR: CIFAR-10);
                                     the arguments go to pytest (-n 0: one at a time)
       ./build.sh check             ruff, mypy, and what Vivado does not take in the RTL
       ./build.sh costs --out FILE.json    what a multiply-accumulate costs at every bit width
       ./build.sh fit               compare the folding search's costs with Yosys', docs/costs.md
       ./build.sh reference         write docs/rtl.md, the reference of the RTL modules
       ./build.sh registers         write docs/registers.md, the chip's register map
       ./build.sh compare [BUILD|results.json...]  accuracy against frames/s, build/compare.html
       ./build.sh download          fetch CIFAR-10
       ./build.sh results [REPORT.json...]  write the tables of README and docs, from records and
                                     reports; without reports, say which tables are of older code
       ./build.sh BOARD --help      all options of a build
EOF
  printf -v boards '%s, ' "${boards[@]%.toml}"
  echo "boards: ${boards%, }"
}

find_python() {
  local name
  for name in python3 python3.13 python3.12 python3.11; do
    if command -v "$name" >/dev/null && "$name" -c \
      'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
      2>/dev/null; then
      echo "$name"
      return
    fi
  done
  echo "error: Python 3.11 to 3.14 with venv is needed (Debian: apt-get install python3-venv)" >&2
  exit 2
}

# The environment is complete when its stamp equals today's pyproject.toml.
environment() {
  local stamp=.venv/headrace.stamp python
  if cmp -s pyproject.toml "$stamp"; then
    return
  fi
  python=$(find_python)
  if [ -d .venv ]; then
    echo "pyproject.toml changed: making .venv again"
    rm -rf .venv
  else
    echo "first use: making .venv"
  fi
  mkdir -p build
  "$python" -m venv .venv
  echo "installing packages, about 6 GB, 2 to 4 minutes; log: build/install.log"
  if ! .venv/bin/python -m pip install --disable-pip-version-check -e '.[dev]' \
    >build/install.log 2>&1; then
    tail -n 20 build/install.log >&2
    echo "error: the installation failed; build/install.log has all of it" >&2
    rm -rf .venv
    exit 2
  fi
  cp pyproject.toml "$stamp"
}

check() {
  .venv/bin/ruff check .
  .venv/bin/ruff format --check .
  .venv/bin/mypy
  .venv/bin/python -m pytest -n 0 -q tests/test_constructs.py tests/rtl/test_lint.py \
    -k "constructs or vivado"
}

verb=${1:-help}
[ $# -gt 0 ] && shift
case "$verb" in
  help | -h | --help) usage ;;
  check) environment && check ;;
  test) environment && check && exec .venv/bin/python -m pytest -n 2 --dist worksteal "$@" ;;
  *) environment && headrace "$verb" "$@" ;;
esac
