# Sourced by the other scripts: `lane NAME` heads what follows, and says how long the lane before it took.

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
