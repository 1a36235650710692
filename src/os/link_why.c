#include <stdio.h>
#include <string.h>

#include "os/link_ssh.h"

static const char *host_of(const struct link_ssh *ssh)
{
	const char *at = strrchr(ssh->target, '@');

	return at == NULL ? ssh->target : at + 1;
}

/* The last line that says something; ssh ends its lines in CR LF. It may be longer than room. */
static void last_line(const char *said, char *line, size_t room)
{
	const char *end = said + strlen(said), *begin;

	while (end > said && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
		end--;
	begin = end;
	while (begin > said && begin[-1] != '\n')
		begin--;
	if ((size_t)(end - begin) >= room)
		end = begin + room - 1;
	memcpy(line, begin, (size_t)(end - begin));
	line[end - begin] = '\0';
}

static int refused_root(const struct link_ssh *ssh, const char *line, struct err *e)
{
	const char *host = host_of(ssh), *at = strrchr(ssh->target, '@');
	int user_len = at == NULL ? 4 : (int)(at - ssh->target);
	const char *user = at == NULL ? "USER" : ssh->target;
	bool doas = ssh->become == LINK_BECOME_DOAS;
	const char *name = doas ? "doas" : "sudo";

	if (strstr(line, "not found") != NULL || strstr(line, "No such file") != NULL)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"%s is missing on %s (%s); install it there, or change host.become", name,
			host, line);
	if (doas)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"doas refuses on %s: %s; its doas.conf needs the line: permit nopass %.*s "
			"as root cmd /bin/sh",
			host, line, user_len, user);
	return err_set(e, ERR_SYSTEM, NOWHERE,
		"sudo refuses on %s: %s; its sudoers needs the line: %.*s ALL=(root) NOPASSWD: "
		"/bin/sh",
		host, line, user_len, user);
}

int why_unreachable(const struct link_ssh *ssh, const char *said, struct err *e)
{
	const char *host = host_of(ssh);
	char line[256], port[16] = "";

	last_line(said, line, sizeof(line));
	if (ssh->port != 0)
		snprintf(port, sizeof(port), "-p %d ", ssh->port);
	if (strstr(said, "IDENTIFICATION HAS CHANGED") != NULL)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"%s cannot be reached by ssh: its host key is another than the one that is "
			"known; if it was set up anew, take the old key out of known_hosts and "
			"connect once by hand: ssh %s%s",
			host, port, ssh->target);
	if (strstr(said, "Host key verification failed") != NULL)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"%s cannot be reached by ssh: its host key is not known here; connect once "
			"by hand and compare it: ssh %s%s",
			host, port, ssh->target);
	if (strstr(said, "Permission denied (") != NULL)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"%s cannot be reached by ssh: %s; it takes no key that ssh has without "
			"asking you: name the file in host.ssh_key, or add it with ssh-add",
			host, line);
	/* ssh's own words name the host, which may be called so. */
	if (ssh->become != LINK_BECOME_NONE && strncmp(line, "ssh: ", 5) != 0 &&
		strstr(line, ssh->become == LINK_BECOME_DOAS ? "doas" : "sudo") != NULL)
		return refused_root(ssh, line, e);
	return err_set(e, ERR_SYSTEM, NOWHERE, "%s cannot be reached by ssh: %s", host,
		line[0] == '\0' ? "no sh(1) answered there" : line);
}

int why_lost(const struct link_ssh *ssh, const char *said, struct err *e)
{
	char line[256];

	last_line(said, line, sizeof(line));
	return err_set(e, ERR_SYSTEM, NOWHERE,
		"the connection to %s was lost%s%s%s; run jmesh again to go on", host_of(ssh),
		line[0] == '\0' ? "" : " (", line, line[0] == '\0' ? "" : ")");
}
