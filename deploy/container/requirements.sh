#!/bin/sh
# Writes deploy/container/build.txt anew: the programs that build the image, in the newest versions that fit, with hashes.
set -eu
cd "$(dirname "$0")/../.."
uv=.venv/bin/uv
file=deploy/container/build.txt
trap 'rm -f "$file.new"' EXIT
{
    echo "# What builds the image, checked by hash. Made anew by: deploy/container/requirements.sh"
    { sed -n 's/^UV_VERSION := /uv==/p' Makefile; sed -n 's/^requires = \["\(hatchling[^"]*\)"\]$/\1/p' pyproject.toml; } |
        $uv pip compile --quiet --generate-hashes --no-header --no-annotate --universal --python-version 3.11 -
} >"$file.new"
mv "$file.new" "$file"
