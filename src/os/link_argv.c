/* How ssh is called. */
#include <string.h>

#include "os/link_ssh.h"

static const char *loopback_of(const struct link_ssh *ssh)
{
	static const char *const names[] = { "127.0.0.1", "::1", "localhost" };
	const char *at = strrchr(ssh->target, '@'), *host = at == NULL ? ssh->target : at + 1;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(host, names[i]) == 0)
			return host;
	return NULL;
}

int link_argv(const struct link_ssh *ssh, struct arena *a, struct strs *v, struct err *e)
{
	static const char *const first[] = { "ssh", "-T", "-a", "-x", "-o", "BatchMode=yes", "-o",
		"ControlMaster=no", "-o", "ClearAllForwardings=yes", "-o", "PermitLocalCommand=no",
		"-o", "RemoteCommand=none", "-o", "ConnectTimeout=10", "-o",
		"ServerAliveInterval=5", "-o", "ServerAliveCountMax=3" };
	/* For each login shell the same: sh's, csh's and fish's. */
	static const char *const remote[] = {
		[LINK_BECOME_NONE] = "exec /bin/sh",
		[LINK_BECOME_DOAS] = "exec doas -n /bin/sh",
		[LINK_BECOME_SUDO] = "exec sudo -n /bin/sh",
	};

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		strs_push(a, v, first[i]);
	if (ssh->ephemeral) {
		/* The name must not lead elsewhere by the user's configuration: any key will do. */
		const char *host = loopback_of(ssh);
		static const char *const any[] = { "-o", "StrictHostKeyChecking=no", "-o",
			"UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null",
			"-o", "LogLevel=ERROR", "-o", "ControlPath=none", "-o",
			"ProxyCommand=none" };

		if (host == NULL)
			return err_set(e, ERR_CONFIG, NOWHERE,
				"'%s' is not on loopback, so its host key must be known: only "
				"127.0.0.1, ::1 and localhost are trusted with any",
				ssh->target);
		for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++)
			strs_push(a, v, any[i]);
		strs_push(a, v, "-o");
		strs_push(a, v, arena_printf(a, "HostName=%s", host));
	}
	if (ssh->port != 0) {
		strs_push(a, v, "-o");
		strs_push(a, v, arena_printf(a, "Port=%d", ssh->port));
	}
	if (ssh->key != NULL) {
		strs_push(a, v, "-i");
		strs_push(a, v, ssh->key);
		strs_push(a, v, "-o");
		strs_push(a, v, "IdentitiesOnly=yes");
	}
	strs_push(a, v, "--");
	strs_push(a, v, ssh->target);
	strs_push(a, v, remote[ssh->become]);
	strs_push(a, v, NULL);
	return 0;
}
