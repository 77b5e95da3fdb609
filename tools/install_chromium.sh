#!/usr/bin/env bash
# Chromium for the browser tests, from the system's packages: the one without windows if there is one.
set -euo pipefail
any() { for name in "$@"; do if [ -n "$name" ] && command -v "$name" >/dev/null; then return 0; fi; done; return 1; }
if any "${CHROMIUM:-}" chromium-headless-shell; then exit 0; fi
have_another() { any chromium chromium-browser google-chrome; }
as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
install() { DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }
if command -v apt-get >/dev/null; then
  if have_another; then
    # As good, and it takes twice the time: no reason to fail.
    install chromium-headless-shell 2>/dev/null || true
  else
    echo "Installing Chromium for the browser tests (once) ..."
    "${as_root[@]}" apt-get update -qq
    install chromium-headless-shell fonts-dejavu-core 2>/dev/null || install chromium fonts-dejavu-core
  fi
elif ! have_another; then
  echo "The browser tests need Chromium: install it, or name its program in CHROMIUM." >&2
  exit 1
fi
