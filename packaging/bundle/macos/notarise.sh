#!/bin/bash
# Sign, pack and notarise the application that build.py has made on a Mac:
#   IDENTITY="Developer ID Application: NAME (TEAM)" PROFILE=notary \
#       packaging/bundle/macos/notarise.sh "build/SAE Desktop.app" build/sae-desktop.dmg
# PROFILE is what “xcrun notarytool store-credentials PROFILE” has put into the keychain. Without
# IDENTITY the application is signed for this Mac alone and not notarised.
set -eu
app=$1
image=$2
here=$(cd "$(dirname "$0")" && pwd)
identity=${IDENTITY:--}

# From the inside out: what is signed last covers all else.
find "$app" -type f \( -name '*.so' -o -name '*.dylib' -o -perm -u+x \) \
    ! -path "$app/Contents/MacOS/sae-desktop" -print0 |
    while IFS= read -r -d '' file; do
        file -b "$file" | grep -q Mach-O || continue
        codesign --force --timestamp --options runtime \
            --entitlements "$here/entitlements.plist" --sign "$identity" "$file"
    done
find "$app" -type d -name '*.framework' -print0 |
    while IFS= read -r -d '' framework; do
        codesign --force --timestamp --options runtime --sign "$identity" "$framework"
    done
codesign --force --timestamp --options runtime \
    --entitlements "$here/entitlements.plist" --sign "$identity" "$app"
codesign --verify --deep --strict "$app"

hdiutil create -volname "SAE Desktop" -srcfolder "$app" -ov -format ULMO "$image"
[ "$identity" != - ] || exit 0
codesign --force --timestamp --sign "$identity" "$image"
xcrun notarytool submit "$image" --keychain-profile "$PROFILE" --wait
xcrun stapler staple "$image"
spctl --assess --type open --context context:primary-signature "$image"
