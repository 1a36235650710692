# platforms: netns
# limit: 600
# The golden tests, in a lab: sanitized programs need /proc, which a bare chroot lacks.
cd "$BUILD/../.."
sh tests/golden/run "$BUILD"
