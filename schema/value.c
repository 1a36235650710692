#include "schema/value.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sodium/utils.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/code.h"
#include "base/text.h"
#include "schema/mesh.h"

static bool refuse(struct fault *f, const char *text, const char *hint)
{
	*f = (struct fault){ text, hint };
	return false;
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Whether s is min to max letters, digits and characters of others. */
static bool is_word(const char *s, size_t min, size_t max, const char *others)
{
	size_t n = strlen(s);

	if (n < min || n > max)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_alnum(s[i]) && strchr(others, s[i]) == NULL)
			return false;
	return true;
}

bool value_label(const char *s, struct fault *f)
{
	if (name_is_label(s))
		return true;
	return refuse(f, "is not a name",
		"a name is 1 to 63 letters, digits, '-' and '_', without '-' at either end");
}

bool value_path(const char *s, struct fault *f)
{
	if (s[0] != '/')
		return refuse(f, "is not an absolute path", "begin it with '/'");
	if (strlen(s) > 1023)
		return refuse(f, "is too long for a path", "1,023 bytes are the most");
	for (const char *p = s; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return refuse(f, "has a control character in it", NULL);
	return true;
}

bool value_ssh(const char *s, struct fault *f)
{
	const char *at = strchr(s, '@');

	/* It becomes a word of ssh's, which takes a '-' at the beginning for an option. */
	if (at == NULL ? is_word(s, 1, 255, "_-.:") && s[0] != '-'
		       : is_word(at + 1, 1, 255, "_-.:") && at[1] != '-' && at != s &&
				s[0] != '-' && is_word(s, 3, 511, "_-.:@"))
		return true;
	return refuse(f, "is not a machine that ssh can be told",
		"write user@host, or the host alone; it may be a Host of ~/.ssh/config");
}

bool value_port(const char *s, struct fault *f)
{
	unsigned n = 0;

	for (const char *p = s; *p >= '0' && *p <= '9' && n <= 65535; p++)
		n = n * 10 + (unsigned)(*p - '0');
	if (s[0] != '0' && n >= 1 && n <= 65535 && s[strspn(s, "0123456789")] == '\0')
		return true;
	return refuse(f, "is not a port", "it is a number from 1 to 65535");
}

bool value_home_path(const char *s, struct fault *f)
{
	/* ssh puts something else in the place of '%' and a letter. */
	if (strchr(s, '%') != NULL)
		return refuse(f, "has a '%' in it, which means something else to ssh", NULL);
	if (strncmp(s, "~/", 2) == 0)
		return value_path(s + 1, f);
	if (s[0] != '/')
		return refuse(f, "is neither an absolute path nor one in your home",
			"begin it with '/' or '~/'");
	return value_path(s, f);
}

bool value_interface(const char *s, struct fault *f)
{
	if (strcmp(s, "lo") == 0)
		return refuse(f, "is the loopback interface", "the node makes one of its own");
	if (is_word(s, 1, 15, "_-.") && strcmp(s, ".") != 0 && strcmp(s, "..") != 0)
		return true;
	return refuse(f, "is not a name of an interface",
		"it is 1 to 15 letters, digits, '_', '-' and '.'");
}

bool value_table(const char *s, struct fault *f)
{
	if (strcmp(s, "jmesh_ending") == 0)
		return refuse(f, "is a table that jmesh has for another purpose",
			"give the table another name");
	/* What nft takes for a name begins with a letter. */
	if (is_word(s, 1, 31, "_") && strspn(s, "0123456789_") == 0)
		return true;
	return refuse(f, "is not a name of a table",
		"it is 1 to 31 letters, digits and '_', and begins with a letter");
}

bool value_zone(const char *s, struct fault *f)
{
	size_t len = strlen(s);

	if (len > 200)
		return refuse(f, "is too long for a zone", "200 characters are the most");
	if (len != 0 && s[len - 1] == '.')
		return refuse(f, "ends in a dot", "leave the last dot out");
	for (const char *p = s;; p++) {
		char label[64];
		size_t n = strcspn(p, ".");

		if (n < sizeof(label)) {
			memcpy(label, p, n);
			label[n] = '\0';
		}
		if (n >= sizeof(label) || !name_is_label(label))
			return refuse(f, "is not a zone",
				"labels of 1 to 63 letters, digits, '-' and '_', with dots "
				"between");
		p += n;
		if (*p == '\0')
			return true;
	}
}

bool value_code(const char *s, struct fault *f)
{
	struct pass pass;
	struct err e;
	bool good = pass_parse(s, &pass, &e) == 0;

	sodium_memzero(&pass.secret, sizeof(pass.secret));
	if (good)
		return true;
	if (strchr(s, '#') != NULL)
		return refuse(f, "is not a pairing code with its secret",
			"copy it again, whole: 81-zephyr-night-climb#K7QF-... of 27 characters and "
			"dashes");
	return refuse(f, "is not a pairing code",
		"it is 1 to 64 letters, digits and '-', and behind a '#' the secret");
}

bool value_variable(const char *s, struct fault *f)
{
	if (is_word(s, 1, 255, "_") && !(s[0] >= '0' && s[0] <= '9'))
		return true;
	return refuse(f, "is not a name of an environment variable",
		"it is letters, digits and '_', without '$'");
}

bool value_ipv4(const char *s, struct fault *f)
{
	struct in_addr a;
	struct in6_addr six;
	unsigned first;

	if (strchr(s, '/') != NULL)
		return refuse(
			f, "is not an IPv4 address", "leave out the prefix length: one address");
	if (inet_pton(AF_INET6, s, &six) == 1)
		return refuse(f, "is not an IPv4 address",
			"a jail's overlay address follows from its key; only the IPv4 address goes "
			"here");
	if (inet_pton(AF_INET, s, &a) != 1)
		return refuse(f, "is not an IPv4 address", NULL);
	first = ntohl(a.s_addr) >> 24;
	if (first == 0 || first >= 224)
		return refuse(f, "is no address that a jail can have", NULL);
	return true;
}

bool value_node(const char *s, struct fault *f)
{
	struct err e;
	struct addr a;

	if (strchr(s, '/') != NULL)
		return refuse(f, "is not an address of a node",
			"leave out the prefix length: one jail has one address");
	if (strchr(s, '%') != NULL)
		return refuse(f, "is not an address of a node", "leave out the zone after '%'");
	if (addr_parse(s, NOWHERE, &a, &e) < 0)
		return refuse(f, "is not an IPv6 address", NULL);
	if (a.b[0] == 0x03)
		return refuse(f, "is not an address of a node",
			"300::/8 holds the networks behind nodes; a node's own is in 200::/8");
	if (!addr_is_node(&a))
		return refuse(f, "is outside of 200::/8, where every node is",
			"`jmesh roster` on the other side prints the addresses");
	return true;
}

bool value_key(const char *s, struct fault *f)
{
	struct pubkey key;

	if (pubkey_parse(s, &key))
		return true;
	return refuse(f, "is not a public key", "it is 64 hexadecimal digits");
}

bool value_is_no_text(const char *s)
{
	/* The core schema of YAML 1.2, section 10.3.2. */
	static const char *const words[] = { "", "~", "null", "Null", "NULL", "true", "True",
		"TRUE", "false", "False", "FALSE" };

	if (s[0] == '\0' || strchr("~nNtTfF", s[0]) != NULL)
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			if (strcmp(s, words[i]) == 0)
				return true;
	return false;
}
