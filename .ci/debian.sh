# Sourced by the lanes that unpack a Debian of their own, after lane.sh.

# bare_debian SUITE FOLDER PACKAGE...: a minimal Debian with some packages, unless it is there already.
bare_debian() {
    local suite=$1 root=$2 mirror codename
    shift 2
    [ ! -e "$root/.complete" ] || return 0
    # The mirror that the machine's apt is configured with.
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mirror=$(apt-get indextargets --no-release-info --format '$(COMPONENT) $(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
        awk -v release="$codename" '$1 == "main" && $2 == release && !found { print $3; found = 1 }')
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase --include="$(IFS=, && echo "$*")" "$suite" "$root" "$mirror" >"$root.log" 2>&1 || {
        tail -n 20 "$root.log"
        return 1
    }
    rm -rf "$root"/var/cache/apt "$root"/var/lib/apt/lists
    touch "$root/.complete"
}
