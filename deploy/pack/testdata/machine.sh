#!/bin/bash
# machine.sh DIR: a machine of its own for a test of packages: systemd as process 1 in
# new namespaces, over a copy of this machine's root that is thrown away. Nothing that
# happens there is seen here, and there is no network but loopback. It lives as long
# as this script; DIR/pid is its process 1, DIR/cgroup what to remove afterwards.
# It ends with 77 where that cannot be had.
set -eu
dir=$1
cannot() {
	echo "machine.sh: $*" >&2
	exit 77
}

[ "$(id -u)" = 0 ] || cannot "only root makes such a machine"
for need in unshare nsenter pivot_root findmnt /lib/systemd/systemd; do
	command -v "$need" >/dev/null || cannot "there is no $need"
done
cgroups=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)
[ -n "$cgroups" ] || cannot "there are no control groups of version 2"
group=$cgroups/mtfleet-test-$$
mkdir "$group" 2>/dev/null || cannot "no control group can be made in $cgroups"
echo "$group" >"$dir/cgroup"
{ echo $$ >"$group/cgroup.procs"; } 2>/dev/null || cannot "no process can be put into $group"

inside() {
	set -eu
	mount --make-rprivate /
	mkdir -p "$dir/fs"
	mount -t tmpfs tmpfs "$dir/fs"
	mkdir "$dir/fs/upper" "$dir/fs/work" "$dir/fs/root"
	mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/fs/upper,workdir=$dir/fs/work" "$dir/fs/root"
	cd "$dir/fs/root"
	mount -t proc proc proc
	mount -t sysfs sysfs sys
	mount -t cgroup2 cgroup2 sys/fs/cgroup
	mount -t tmpfs -o mode=755 tmpfs dev
	for node in null zero full random urandom tty; do
		touch dev/$node
		mount --bind /dev/$node dev/$node
	done
	mkdir dev/pts dev/shm
	mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
	ln -s pts/ptmx dev/ptmx
	ln -s /proc/self/fd dev/fd
	mount -t tmpfs tmpfs dev/shm
	mount -t tmpfs -o mode=755 tmpfs run
	mount -t tmpfs -o mode=1777 tmpfs tmp
	# No service of this machine, and the journal.
	find usr/lib/systemd/system etc/systemd/system -path '*.wants/*' -delete
	rm -rf var/lib/mtfleet etc/mtfleet
	mkdir -p usr/lib/systemd/system/sysinit.target.wants
	ln -s ../systemd-journald.service usr/lib/systemd/system/sysinit.target.wants/
	printf '[Unit]\nDescription=Up\n' >usr/lib/systemd/system/up.target
	mkdir given old
	mount --bind "$dir/given" given
	ip link set lo up 2>/dev/null || true
	pivot_root . old
	umount -l old
	# Credentials are mounted by a child: they show only where mounts are shared.
	mount --make-rshared /
	exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=up.target --show-status=no </dev/null
}
export -f inside
export dir
mkdir -p "$dir/given"
unshare --mount --pid --cgroup --net --uts --ipc --fork --kill-child bash -c inside >"$dir/console" 2>&1 &
trap 'kill -KILL $! 2>/dev/null || true' EXIT
for _ in $(seq 100); do
	first=$(pgrep -P $! | head -n 1 || true)
	if [ -n "$first" ] && nsenter -t "$first" -a -r -w systemctl is-active up.target >/dev/null 2>&1; then
		echo "$first" >"$dir/pid"
		wait
		exit
	fi
	kill -0 $! 2>/dev/null || break
	sleep 0.1
done
cat "$dir/console" >&2
cannot "systemd did not start in namespaces"
