# What image/rootfs, image/enter, image/demo and tests/run share. Sourced by bash, never run.
set -euo pipefail

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
CACHE=${DESKBELL_CACHE:-/var/cache/deskbell}

say() { printf '%s\n' "$*" >&2; }
refuse() { say "deskbell: $*"; exit 2; }
is_root() { [ "$(id -u)" = 0 ]; }

must_be_debian() {
  [ "$(uname -s)" = Linux ] || refuse "this needs Debian 12 or 13; this machine runs $(uname -s)."
  local ID='' VERSION_ID='' PRETTY_NAME='another system'
  [ -r /etc/os-release ] && . /etc/os-release
  [ "$ID" = debian ] && [ "${VERSION_ID:-99}" -ge 12 ] ||
    refuse "this needs Debian 12 or 13; this machine runs $PRETTY_NAME."
}

. "$REPO/image/recipe.sh"

# 12 hex digits of the names and contents of files below the repo, and of what stdin says.
hash_of() {
  (cd "$REPO"; cat; find "$@" -type f ! -name '*~' ! -name '.*' ! -name '*.pyc' -print0 2>/dev/null |
    LC_ALL=C sort -z | xargs -0r sha256sum) | sha256sum | cut -c1-12
}

# The folder of each layer. Its name is the hash of its recipe, so a change makes a new one.
# root: Debian and PyPI parts · house: users, folders, Asterisk's configuration, units ·
# tools: what only tests and the demo's self-check need · workshop, over tools: what makes the image and boots it ·
# box, over root: what only the image has, for the boot ring.
layer() {
  local root=root-$({ uname -m; declare -f build_root; } | hash_of image/packages.txt image/requirements.txt)
  case $1 in
    root) echo "$CACHE/$root" ;;
    house) echo "$CACHE/house-$({ echo "$root"; declare -f lay house_files house_settled build_house; } |
      hash_of image/deskbell image/regions image/asterisk systemd hw/udev)" ;;
    tools) echo "$CACHE/tools-$({ echo "$root"; declare -f packages_over wheels_into build_tools; } |
      hash_of tests/packages.txt tests/requirements.txt)" ;;
    box) echo "$CACHE/box-$({ echo "$root"; declare -f packages_over build_box; } | hash_of image/image-packages.txt)" ;;
    workshop) echo "$CACHE/workshop-$({ layer tools; declare -f packages_over build_workshop; } | hash_of image/workshop.txt)" ;;
  esac
}

layers_are_made() {
  local kind
  for kind in "$@"; do [ -d "$(layer "$kind")" ] || return 1; done
}
