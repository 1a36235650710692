#include "tests/unit/freebsd_lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/file.h"

void lab_write(const char *path, const char *text, mode_t mode)
{
	CHECK(file_replace(path, text, strlen(text), mode, &e) == 0);
}

const char *lab_read(const char *path)
{
	const char *text;
	size_t len;

	return file_read(path, 1 << 20, arena, &text, &len, &e) == 0 ? text : "(none)";
}

/* Each refuses every use but those that the port makes of it. */
static const struct {
	const char *name, *script;
} stand_ins[] = {
	{ "jls",
		"#!/bin/sh\n"
		"[ \"$*\" = '--libxo json name' ] || exit 64\n"
		"[ ! -f /mnt/jls.failed ] || { echo 'jls: jail_get: no' >&2; exit 1; }\n"
		"cat /mnt/jls\n" },
	{ "jexec",
		"#!/bin/sh\n"
		"root=/mnt/jails/$1\n"
		"if [ ! -d \"$root\" ]; then\n"
		"	echo \"jexec: jail \\\"$1\\\" not found\" >&2\n"
		"	exit 1\n"
		"fi\n"
		"shift\n"
		"if [ -x \"$root/evil\" ]; then exec \"$root/evil\"; fi\n"
		"if ! command -v \"$1\" >/dev/null; then\n"
		"	echo \"jexec: execvp: $1: No such file or directory\" >&2\n"
		"	exit 1\n"
		"fi\n"
		"mkdir -p \"$root/etc\" \"$root/run\" \"$root/log\"\n"
		"exec unshare -m sh -c '\n"
		"	mount --bind \"$0/etc\" /usr/local/etc && mount --bind \"$0/run\" /run &&\n"
		"	    mount --bind \"$0/log\" /var/log && exec \"$@\"' \"$root\" \"$@\"\n" },
	{ "service",
		"#!/bin/sh\n"
		"[ \"$1\" = yggdrasil ] && [ $# = 2 ] || exit 64\n"
		"file=/var/run/yggdrasil.pid\n"
		"pid=$(cat $file 2>/dev/null)\n"
		"{ [ -n \"$pid\" ] && kill -0 \"$pid\" 2>/dev/null; } || pid=\n"
		"case $2 in\n"
		"onestatus)\n"
		"	[ -z \"$pid\" ] || { echo \"yggdrasil is running as pid $pid.\"; exit 0; "
		"}\n"
		"	echo 'yggdrasil is not running.'; exit 1 ;;\n"
		"start)\n"
		"	if [ \"$(sysrc -n yggdrasil_enable)\" != YES ]; then\n"
		"		echo \"Cannot 'start' yggdrasil.\" >&2\n"
		"		exit 1\n"
		"	fi\n"
		"	daemon & echo $! >$file ;;\n"
		"onestop) [ -z \"$pid\" ] || kill \"$pid\" ;;\n"
		"*) exit 64 ;;\n"
		"esac\n" },
	/* As daemon(8) with -r. It holds on to what service had open. */
	{ "daemon",
		"#!/bin/sh\n"
		"trap 'kill $!; wait; exit' TERM\n"
		"while :; do\n"
		"	yggdrasil -useconffile " CONF " >>/var/log/yggdrasil.log 2>&1 &\n"
		"	wait $!\n"
		"	sleep 1 &\n"
		"	wait $!\n"
		"done\n" },
	{ "sysrc",
		"#!/bin/sh\n"
		"rc=/usr/local/etc/rc.conf\n"
		"case \"$*\" in\n"
		"'-n yggdrasil_enable')\n"
		"	[ -f $rc ] && cat $rc && exit\n"
		"	echo \"sysrc: unknown variable 'yggdrasil_enable'\" >&2; exit 1 ;;\n"
		"yggdrasil_enable=YES|yggdrasil_enable=NO)\n"
		"	echo \"yggdrasil_enable: was -> ${1#*=}\"; echo \"${1#*=}\" >$rc ;;\n"
		"*) exit 64 ;;\n"
		"esac\n" },
	{ "sockstat",
		"#!/bin/sh\n"
		"[ \"$*\" = '-46lqw -P tcp' ] || exit 64\n"
		"echo 'root     sshd       1      4  tcp46  *:22                  *:*'\n"
		"for pid in $(pgrep -x yggdrasil); do\n"
		"echo \"root     yggdrasil  $pid  11 tcp4   127.0.0.1:19001       *:*\"\n"
		"done\n" },
};

static void (*machine)(void);

static void open_port(void)
{
	CHECK(freebsd_open(
		      &port, &(struct platform_conf){ .state_dir = "/mnt/state" }, arena, &e) == 0);
}

static void inside(void (*body)(void))
{
	static const char *const fresh[] = { "/mnt", "/usr/local/etc", "/var/log", "/var/db" };

	CHECK(mkdir("/var/db", 0755) == 0 || errno == EEXIST);
	for (size_t i = 0; i < sizeof(fresh) / sizeof(fresh[0]); i++)
		CHECK(mount("none", fresh[i], "tmpfs", 0, "mode=755") == 0);
	CHECK(sandbox_sh("mkdir -p /mnt/bin /mnt/jails/web") == 0);
	for (size_t i = 0; i < sizeof(stand_ins) / sizeof(stand_ins[0]); i++)
		lab_write(arena_printf(arena, "/mnt/bin/%s", stand_ins[i].name),
			stand_ins[i].script, 0755);
	CHECK(setenv("PATH", "/mnt/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", 1) == 0);
	lab_write("/mnt/jls", "{\"jail-information\": {\"jail\": [{\"name\":\"web\"}]}}", 0644);
	open_port();
	body();
	port.ops->close(port.self);
	_exit(0);
}

/* The first process of a namespace is handed all orphans, and must bury them. */
static void be_init(void)
{
	pid_t pid = fork(), ended;
	int status;

	if (pid == 0)
		inside(machine);
	while ((ended = wait(&status)) != pid)
		if (ended < 0)
			_exit(1);
	_exit(status == 0 ? 0 : 1);
}

void lab_machine(void (*body)(void))
{
	machine = body;
	sandbox(be_init);
}

static const char *joined(const struct strs *list)
{
	struct text t = text_new(arena);

	for (size_t i = 0; i < list->n; i++)
		text_addf(&t, "%s%s", i == 0 ? "" : " ", list->v[i]);
	return t.s;
}

const char *lab_jails(void)
{
	struct strs running, known;

	if (port.ops->jails(port.self, arena, &running, &known, &e) < 0)
		return e.text;
	return arena_printf(arena, "%s; %s", joined(&running), joined(&known));
}

int lab_replace(const char *jail, const char *path, const char *text, mode_t mode)
{
	return port.ops->replace(port.self, jail, path, text, strlen(text), mode, &e);
}

const char *lab_look_key(const char *node)
{
	struct look v = { .kind = LOOK_KEY, .place = node };
	char hex[KEY_HEX];

	CHECK(port.ops->look(port.self, &v, 1, arena, &e) == 0);
	if (v.rc != 0)
		return v.rc < 0 ? arena_dup(arena, v.err.text) : "(none)";
	pubkey_format(&v.key.key, hex);
	return arena_printf(arena, "%.8s %s", hex, v.key.in_file ? "file" : "conf");
}

const char *lab_look_node(const char *node)
{
	struct look v = { .kind = LOOK_NODE, .place = node };

	CHECK(port.ops->look(port.self, &v, 1, arena, &e) == 0);
	if (v.rc != 0)
		return arena_dup(arena, v.err.text);
	return arena_printf(arena, "%s %s %s", v.state.running ? "running" : "-",
		v.state.at_boot ? "boot" : "-", joined(&v.state.listening));
}
