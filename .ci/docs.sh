#!/usr/bin/env bash
# The site of the documentation, in target/site; `make docs` installs first what it needs. A broken link is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

# In a folder of its own: the site has the library, and not what else was documented.
rm -rf target/rustdoc/doc target/site
RUSTDOCFLAGS='-D warnings' cargo doc --quiet --locked --no-deps -p faultless --all-features --target-dir target/rustdoc
# Not --quiet, with which mkdocs does not count its warnings. The variable turns off a notice that its theme prints.
NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

# Reading the site fetches nothing from anywhere else.
source="<(script|img|iframe|source)[^>]* src=[\"']?(https?:)?//"
sheet="<link[^>]* href=[\"']?(https?:)?//[^>]*stylesheet"
if grep --recursive --include='*.html' --include='*.css' --exclude-dir=rust --ignore-case --line-number \
    --extended-regexp "$source|$sheet|url\\([\"']?(https?:)?//" target/site; then
    echo 'error: the site fetches something from another host' >&2
    exit 1
fi
echo 'target/site/index.html'
