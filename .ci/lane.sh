# Sourced by the other scripts.

# `lane NAME` heads what follows, and says how long the lane before it took.
lane() {
    lane_end
    lane_name=$1
    lane_start=$SECONDS
    printf '\n=== %s\n' "$lane_name"
}

lane_end() {
    if [ -n "${lane_name:-}" ]; then
        printf -- '--- %s: %d s\n' "$lane_name" $((SECONDS - lane_start))
    fi
    lane_name=
}

# Installs those of Debian's packages that are not there.
install_packages() {
    local package missing=()
    for package; do
        dpkg-query --show --showformat '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 install --yes --no-install-recommends \
        "${missing[@]}" >/dev/null
}
