# The first process of a lab: bash init.sh SCRATCH BUILD_DIR SCRIPT. It has namespaces of its own.
#
# What the test needs is copied into the scratch folder, which is a tmpfs of this lab: nothing that
# happens to the outside's folders meanwhile matters, and nothing of ours reaches them.
set -eEu -o pipefail
shopt -s inherit_errexit

LAB=$1 build=$2 script=$3
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
unset XDG_RUNTIME_DIR TMPDIR NO_COLOR CDPATH BASH_ENV ENV http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
export LC_ALL=C.UTF-8 HOME=$LAB

# The first with -n: mount would leave its own /run/mount outside.
mount -n -t tmpfs -o mode=755 none /run
mount -t proc proc /proc
mount -t tmpfs -o mode=755 none "$LAB"
mkdir "$LAB/bin" "$LAB/tests" "$LAB/real"
cp -R "$(dirname "$0")"/* "$LAB/tests"
[ ! -x "$build/tests/lab/standin" ] || cp "$build/tests/lab/standin" "$LAB/tests"
[ ! -x "$build/jmesh" ] || cp "$build/jmesh" "$LAB/bin/jmesh"
mount --rbind /etc "$LAB/real"
cd "$LAB"
PATH=$LAB/bin:$PATH
export LAB PATH

# A chroot may lack the device; a tmpfs over /dev may have it without touching the outside.
if [ ! -c /dev/net/tun ]; then
	mkdir "$LAB/dev" "$LAB/dev/net"
	mkdir -m 1777 "$LAB/dev/shm"
	mkdir "$LAB/dev/pts"
	mount -t devpts -o newinstance,ptmxmode=0666 none "$LAB/dev/pts"
	ln -s pts/ptmx "$LAB/dev/ptmx"
	for node in null zero full random urandom tty; do
		[ ! -e "/dev/$node" ] || { : >"$LAB/dev/$node" && mount --bind "/dev/$node" "$LAB/dev/$node"; }
	done
	ln -s /proc/self/fd "$LAB/dev/fd"
	ln -s fd/0 "$LAB/dev/stdin"
	ln -s fd/1 "$LAB/dev/stdout"
	ln -s fd/2 "$LAB/dev/stderr"
	mknod -m 666 "$LAB/dev/net/tun" c 10 200 2>/dev/null || {
		echo "lab: /dev/net/tun is missing and cannot be made here; Yggdrasil needs it" >&2
		exit 1
	}
	mount --rbind "$LAB/dev" /dev
fi
(: <>/dev/net/tun) 2>/dev/null || {
	echo "lab: /dev/net/tun cannot be opened: either its mode ($(stat -c %A /dev/net/tun)) forbids it (run as root)," \
	    "or the kernel's module tun is not loaded" >&2
	exit 1
}

# Sanitized programs are slower: every deadline of a test is this much longer.
FACTOR=1
if [ -x bin/jmesh ] && grep -qc __asan_init bin/jmesh; then
	FACTOR=4
fi
# FreeBSD's stand-ins are many programs.
[ "${PLATFORM:-netns}" = netns ] || FACTOR=$((FACTOR * 3))
export FACTOR

# What lab tests are written with.
for lib in hold machines meshes state left freebsd jailrun killing bend; do
	. "$LAB/tests/lib/$lib.sh"
done
lab_start
. "$LAB/tests/$(basename "$script")"
freebsd_clean
exit 0
