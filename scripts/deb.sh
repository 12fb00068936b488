#!/bin/sh
# make deb: dist/flowtop_VERSION_all.deb, for Debian 12 and later.
# VERSION in the environment is another version, DIST another directory.
# Debian's own packages of what flowtop needs are used, but for two that are too old in Debian 12: those come along,
# from the environment that $PYTHON is of.
set -eu
cd "$(dirname "$0")/.."
. scripts/place.sh

python=${PYTHON:-.venv/bin/python}
come_along="prompt_toolkit pyroute2"
version=${VERSION:-$("$python" -c 'import flowtopd.wire.version as v; print(v.VERSION)')}
# files are as old as the last change, so that the same source makes the same package
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

umask 022
dist=${DIST:-dist}
mkdir -p build "$dist"
work=$(mktemp -d build/deb.XXXXXX)
trap 'rm -rf "$work"' EXIT
root=$work/root
lib=$root/usr/lib/flowtop
doc=$root/usr/share/doc/flowtop
mkdir -p "$root/DEBIAN" "$lib" "$root/usr/bin" "$root/usr/sbin" "$root/etc/flowtop" "$doc"

cp -r flowtopd flowtop_client "$lib/"
site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
for name in $come_along; do
    cp -r "$site/$name" "$lib/"
    for info in "$site/$name"-*.dist-info; do
        # the version is read from it
        mkdir -p "$lib/${info##*/}"
        cp "$info/METADATA" "$lib/${info##*/}/"
    done
done
mkdir "$lib/flowtop-$version.dist-info"
printf 'Metadata-Version: 2.1\nName: flowtop\nVersion: %s\n' "$version" >"$lib/flowtop-$version.dist-info/METADATA"
find "$lib" -name __pycache__ -type d -exec rm -rf {} +
find "$lib" -name '*.py' -exec sed -i '1{/^#!/d}' {} +
find "$lib" -name '*.typed' -delete

launcher() {
    sed "s|@MODULE@|$1|" packaging/deb/launcher >"$2"
    chmod 755 "$2"
}
launcher flowtop_client.cli "$root/usr/bin/flowtop"
launcher flowtopd.__main__ "$root/usr/sbin/flowtopd"
ln -s flowtop "$root/usr/bin/flowtop-viewer"

if [ -f scripts/man.py ]; then
    PYTHONPATH=. "$python" -m scripts.man >/dev/null
fi
# Debian 12 has its units below /lib
place_units "$root" /lib/systemd/system /usr/lib /usr/sbin
place_shared "$root/usr/share" build/man
for name in flowtopd.toml geoip.conf; do
    copy 644 "$root/etc/flowtop" "etc/$name"
done
if [ -f "$root/usr/share/man/man1/flowtop.1.gz" ]; then
    ln -s flowtop.1.gz "$root/usr/share/man/man1/flowtop-viewer.1.gz"
fi
cat >"$doc/changelog" <<END
flowtop ($version) unstable; urgency=medium

  * CHANGELOG.md says what is new.

 -- flowtop maintainers <flowtop@flowtop.invalid>  $(LC_ALL=C date -R -u -d "@$SOURCE_DATE_EPOCH")
END
gzip -9nf "$doc/changelog"
copy 644 "$doc" packaging/deb/copyright

(cd "$root" && find etc -type f | sed 's|^|/|') >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do
    copy 755 "$root/DEBIAN" "packaging/deb/$script"
done
size=$(du -ks --exclude=DEBIAN "$root" | cut -f1)
sed "s|@VERSION@|$version|; s|@SIZE@|$size|" packaging/deb/control >"$root/DEBIAN/control"
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -print0 | sort -z | xargs -0 md5sum | sed 's| \./| |') \
    >"$root/DEBIAN/md5sums"
chmod 644 "$root"/DEBIAN/control "$root"/DEBIAN/conffiles "$root"/DEBIAN/md5sums
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0r touch --no-dereference --date="@$SOURCE_DATE_EPOCH"

dpkg-deb --root-owner-group -Zxz --build "$root" "$dist/flowtop_${version}_all.deb" >/dev/null
echo "$dist/flowtop_${version}_all.deb"
