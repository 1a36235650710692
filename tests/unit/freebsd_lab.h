/*
 * The FreeBSD port on stand-ins of jls, jexec, service, sysrc and sockstat, with the real sh, openssl, nc and
 * yggdrasil, in the sandbox of the Linux platform's tests. A jail is a mount namespace with folders of its own
 * over the node's; the host has fresh ones too. /mnt has what is the test's: bin, jls, jails/NAME/{etc,run,log}.
 */
#ifndef JMESH_TESTS_UNIT_FREEBSD_LAB_H
#define JMESH_TESTS_UNIT_FREEBSD_LAB_H

#include <criterion/criterion.h>

#include <sys/types.h>

#include "platform/freebsd_self.h"
#include "tests/unit/netns_sandbox.h"

#define KEY FREEBSD_KEY
#define CONF FREEBSD_CONF

void lab_write(const char *path, const char *text, mode_t mode);
const char *lab_read(const char *path); /* "(none)": it cannot be read */

/* Runs the body there; the sandbox's port is that of a host with the jail web, which runs. */
void lab_machine(void (*body)(void));

/* A test whose body runs there. */
#define MACHINE(suite, name)              \
	static void body_##name(void);    \
	Test(suite, name, .timeout = 120) \
	{                                 \
		lab_machine(body_##name); \
	}                                 \
	static void body_##name(void)

/* "RUNNING; KNOWN" as the port lists the jails, or the error. */
const char *lab_jails(void);

/* "HEX file|conf" with the first 8 digits, "(none)", or the error. */
const char *lab_look_key(const char *node);

/* "running|- boot|- LISTENING" or the error. */
const char *lab_look_node(const char *node);

int lab_replace(const char *jail, const char *path, const char *text, mode_t mode);

#endif
