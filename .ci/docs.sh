#!/usr/bin/env bash
# The site of the documentation, in target/site; `make docs` installs first what it needs. A broken link is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

# In a folder of its own: the site has the library, and not what else was documented.
RUSTDOCFLAGS='-D warnings' cargo doc --quiet --locked --no-deps -p faultless --all-features --target-dir target/rustdoc
rm -rf target/site
# Not --quiet, with which mkdocs does not count its warnings. The variable turns off a notice that its theme prints.
NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

# Reading the site fetches nothing from anywhere else.
if grep --recursive --include='*.html' --include='*.css' --exclude-dir=rust --ignore-case --line-number --extended-regexp \
    '<(script|img|iframe|source)[^>]* src="?(https?:)?//|<link[^>]* href="?(https?:)?//[^>]*stylesheet|url\(["'\'']?(https?:)?//' target/site; then
    echo 'error: the site fetches something from another host' >&2
    exit 1
fi
echo 'target/site/index.html'
