#!/usr/bin/env bash
# Builds dist/cubbyd_VERSION_ARCHITECTURE.deb, the same bytes from the same commit wherever it is called.
#
#   deploy/debian/build.sh UV [FOLDER]     UV: the program uv; FOLDER: where the package goes, else dist/
#
# What it holds: the Python packages that uv.lock names, each checked against its hash there, as a virtual environment of
# Debian's own Python in /opt/cubbyd; the units; the command for root; papers. It needs dpkg-deb and /usr/bin/python3, from 3.11
# on; the package then asks for that very version. SOURCE_DATE_EPOCH is the date of the commit where it is not given.
set -euo pipefail
uv=$(realpath "${1:?the program uv}")
here=$(realpath "$(dirname "$0")")
cd "$here/../.."
mkdir -p "${2:-dist}"
out=$(realpath "${2:-dist}")

system=/usr/bin/python3
if ! $system -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "the package runs on Debian's own Python, and there is none from 3.11 on at $system" >&2
    exit 1
fi
python=$($system -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
minor=${python#python3.}
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' daemon/cubbyd/__init__.py)
architecture=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
export SOURCE_DATE_EPOCH PYTHONHASHSEED=0 UV_PYTHON_DOWNLOADS=never LC_ALL=C TZ=UTC
unset PYTHONDONTWRITEBYTECODE PYTHONPATH VIRTUAL_ENV
umask 022

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree site=$work/tree/opt/cubbyd/lib/$python/site-packages

# The virtual environment is four entries; nothing in it names the folder that it was built in.
mkdir -p "$tree/opt/cubbyd/bin" "$site"
ln -s "/usr/bin/$python" "$tree/opt/cubbyd/bin/$python"
ln -s "$python" "$tree/opt/cubbyd/bin/python3"
ln -s python3 "$tree/opt/cubbyd/bin/python"
printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.%s\n' "$minor" >"$tree/opt/cubbyd/pyvenv.cfg"

# Every kind of classifier can be configured. What only makes files for it (embedding-model) belongs on a workstation.
chosen=(--frozen --no-dev --no-emit-project --all-extras --no-extra embedding-model)
"$uv" export --quiet "${chosen[@]}" --no-header --output-file "$work/requirements.txt" >/dev/null
"$uv" export --quiet --frozen --only-group build --no-header --output-file "$work/build.txt" >/dev/null
"$uv" export --quiet "${chosen[@]}" --format cyclonedx1.5 --output-file "$work/sbom.json" >/dev/null
"$uv" build --quiet --wheel --python $system --build-constraints "$work/build.txt" --require-hashes --out-dir "$work/wheel" .
install=("$uv" pip install --quiet --python "$tree/opt/cubbyd/bin/python" --link-mode copy --no-deps)
"${install[@]}" --require-hashes --only-binary :all: -r "$work/requirements.txt"
"${install[@]}" --offline --no-index "$work"/wheel/cubbyd-*.whl

# Out with what names this machine, and with programs of other packages. The command itself gets the path it will have, and -I:
# no PYTHONPATH of the caller, and no package in a home folder, gets between it and its own.
find "$site" \( -path '*.dist-info/RECORD' -o -path '*.dist-info/direct_url.json' -o -path '*.dist-info/uv_*.json' \
    -o -path '*.dist-info/REQUESTED' -o -path '*.dist-info/INSTALLER' \) -delete
find "$tree/opt/cubbyd/bin" -type f ! -name cubbyd -delete
rm -f "$tree/opt/cubbyd/.lock"
sed -i '1s|.*|#!/opt/cubbyd/bin/python -I|' "$tree/opt/cubbyd/bin/cubbyd"
find "$site" -type d -name __pycache__ -prune -exec rm -rf {} +
"$tree/opt/cubbyd/bin/python" -m compileall -q -s "$tree" -p / --invalidation-mode unchecked-hash "$site"

# The units, the command for root, the papers.
doc=$tree/usr/share/doc/cubbyd units=$tree/usr/lib/systemd/system
mkdir -p "$tree/etc/cubbyd" "$units" "$doc/examples" "$tree/usr/share/lintian/overrides"
install -m 644 systemd/*.service systemd/*.timer "$units"
install -D -m 755 "$here/cubbyd" "$tree/usr/bin/cubbyd"
cp -r systemd/drop-ins config.example.toml "$doc/examples"
cp -r README.md docs "$doc"
rm "$doc"/docs/*.py
"$system" "$here/papers.py" "$site" "$work/sbom.json" "$version" "$doc"
gzip -9n <CHANGELOG.md >"$doc/CHANGELOG.md.gz"
gzip -9n "$doc/changelog"
install -m 644 "$here/lintian-overrides" "$tree/usr/share/lintian/overrides/cubbyd"

mkdir "$tree/DEBIAN"
install -m 755 "$here"/{preinst,postinst,prerm,postrm} "$tree/DEBIAN"
size=$(find "$tree" -printf '%y %s\n' | awk '{ sum += $1 == "f" ? int(($2 + 1023) / 1024) : 1 } END { print sum }')
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SIZE@/$size/" \
    -e "s/@PYTHON@/python3 (>= 3.$minor~), python3 (<< 3.$((minor + 1)))/" "$here/control" >"$tree/DEBIAN/control"
(cd "$tree" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
chmod -R u=rwX,go=rX "$tree"
find "$tree" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zzstd --threads-max=1 --build "$tree" "$out/cubbyd_${version}_$architecture.deb" >/dev/null
echo "$out/cubbyd_${version}_$architecture.deb"
