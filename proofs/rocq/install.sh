#!/bin/sh
# The proof checker and its libraries, on Debian 12 or 13. Needs root.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends coq libcoq-mathcomp-algebra libcoq-mathcomp-algebra-tactics make
