#!/bin/sh
# Tell this user's desktop of the program in this folder; “./install.sh --remove” undoes it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
data=${XDG_DATA_HOME:-$HOME/.local/share}
programs=$HOME/.local/bin
entry=$data/applications/sae-desktop.desktop

tell() {
    command -v "$1" >/dev/null || return 0
    "$@" >/dev/null 2>&1 || true
}

refresh() {
    tell update-mime-database "$data/mime"
    tell update-desktop-database "$data/applications"
    tell gtk-update-icon-cache -q -t "$data/icons/hicolor"
}

if [ "${1:-}" = --remove ]; then
    (cd "$here/share" && find . -type f) | while read -r file; do rm -f "$data/$file"; done
    [ "$(readlink "$programs/sae-desktop" 2>/dev/null)" != "$here/sae-desktop" ] ||
        rm "$programs/sae-desktop"
    refresh
    echo "The desktop no longer knows of SAE Desktop. Delete $here to remove it."
    exit
fi
case $here in
*[\"\`\$\\%\|\&]*)
    echo "Move this folder to a path without \" \` \$ \\ % | and &, which a desktop entry cannot name." >&2
    exit 1
    ;;
esac
mkdir -p "$data" "$programs"
cp -R "$here/share/." "$data/"
sed "s|^Exec=.*|Exec=\"$here/sae-desktop\" %f|" "$here/share/applications/sae-desktop.desktop" \
    >"$entry"
ln -sf "$here/sae-desktop" "$programs/sae-desktop"
refresh
echo "SAE Desktop is in the menu of programs, and as “sae-desktop” in $programs."
