/* What the scripts answer. A jail is hostile: its sh(1) may say anything. Pure. */
#include "base/text.h"
#include "platform/freebsd_self.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/hjson.h"
#include "base/json.h"
#include "base/key.h"

enum { JLS_MAX = 16 << 20, ROW_FIELDS = 7 };

/* What is left of an answer. */
struct rest {
	const char *s;
	size_t len;
};

/* Takes the prefix from the front. */
static bool take(struct rest *r, const char *prefix)
{
	size_t n = strlen(prefix);

	if (r->len < n || memcmp(r->s, prefix, n) != 0)
		return false;
	r->s += n;
	r->len -= n;
	return true;
}

/* The next line without its newline, or NULL. A NUL is in none. */
static const char *take_line(struct rest *r, struct arena *a)
{
	const char *end = memchr(r->s, '\n', r->len), *line;
	size_t n;

	if (end == NULL || memchr(r->s, '\0', (size_t)(end - r->s)) != NULL)
		return NULL;
	n = (size_t)(end - r->s);
	line = arena_dupn(a, r->s, n);
	r->s += n + 1;
	r->len -= n + 1;
	return line;
}

/* Takes FREEBSD_END from the back. */
static bool take_end(struct rest *r)
{
	size_t n = strlen(FREEBSD_END);

	if (r->len < n || memcmp(r->s + r->len - n, FREEBSD_END, n) != 0)
		return false;
	r->len -= n;
	return true;
}

/* An answer that breaks off: what was said of it is more to the point. */
static int broken(const struct output *out, const char *place, struct err *e)
{
	if (out->status == 0 && out->err != NULL && *out->err != '\0')
		return freebsd_said(out, e);
	return freebsd_garbled(place, e);
}

int freebsd_parse_file(const struct output *out, size_t max, const char *place, struct arena *a,
	const char **text, size_t *len, struct err *e)
{
	struct rest r = { out->out, out->out_len };
	char *copy;

	if (out->status != 0)
		return freebsd_said(out, e);
	if (take(&r, "none\n"))
		return r.len == 0 ? 1 : freebsd_garbled(place, e);
	if (!take(&r, "file\n") || !take_end(&r))
		return broken(out, place, e);
	if (r.len > max)
		return err_set(e, ERR_SYSTEM, NOWHERE, "it has more than %zu bytes", max);
	copy = arena_dupn(a, r.s, r.len);
	key_mask(copy, r.len);
	*text = copy;
	*len = r.len;
	return 0;
}

/* "-rw-------" of ls(1) as bits; false: it is none. What may follow tells of access lists. */
static bool parse_mode(const char *s, unsigned *mode)
{
	static const char bits[] = "rwxrwxrwx";
	static const struct {
		size_t at;
		char set, also;
		unsigned bit;
	} special[] = { { 3, 's', 'S', 04000 }, { 6, 's', 'S', 02000 }, { 9, 't', 'T', 01000 } };

	*mode = 0;
	if (strlen(s) < 10 || s[0] != '-')
		return false;
	for (size_t i = 1; i < 10; i++) {
		bool known = s[i] == bits[i - 1] || s[i] == '-';

		if (s[i] == bits[i - 1])
			*mode |= 0400U >> (i - 1);
		for (size_t j = 0; j < 3; j++) {
			if (i != special[j].at ||
				(s[i] != special[j].set && s[i] != special[j].also))
				continue;
			known = true;
			*mode |= special[j].bit | (s[i] == special[j].set ? 0400U >> (i - 1) : 0);
		}
		if (!known)
			return false;
	}
	return true;
}

/* Whether the line is the first behind what openssl(1) told of a key. */
static bool ends_key(const char *line)
{
	return text_begins(line, "end\n") || text_begins(line, "conf ") ||
		text_begins(line, "signed ");
}

/* "file MODE UID" and the key that openssl(1) told, up to the line that is neither. */
static int parse_key_file(const char *line, struct rest *r, const char *place, struct arena *a,
	struct key_seen *key, struct err *e)
{
	char *words = arena_dup(a, line + strlen("file "));
	const char *mode = strtok(words, " "), *uid = strtok(NULL, " ");
	const char *pem = r->s, *end;
	unsigned bits;

	if (mode == NULL || uid == NULL || !parse_mode(mode, &bits) ||
		uid[strspn(uid, "0123456789")] != '\0')
		return freebsd_garbled(place, e);
	if (strcmp(uid, "0") != 0)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"the key file %s belongs to user %s: chown root %s if it is to be trusted",
			FREEBSD_KEY, uid, FREEBSD_KEY);
	if ((bits & 077) != 0)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"the key file %s is open to others (mode %04o): chmod 600 %s", FREEBSD_KEY,
			bits, FREEBSD_KEY);
	while ((end = memchr(r->s, '\n', r->len)) != NULL && !ends_key(r->s)) {
		r->len -= (size_t)(end + 1 - r->s);
		r->s = end + 1;
	}
	if (r->s == pem)
		err_set(e, ERR_CONFIG, NOWHERE, "it is no Ed25519 key in PKCS#8");
	else if (key_public_pem_parse(pem, (size_t)(r->s - pem), &key->key, e) == 0)
		return 0;
	return err_wrap(e,
		"the key file %s is wrong (restore it from a backup, or move it away to give the "
		"node a new identity)",
		FREEBSD_KEY);
}

/*
 * Whether the masked configuration holds a key of its own. 0: it does. 1: none. -1: no key. *parsed: it is
 * a configuration at all.
 */
static int conf_has_key(const struct rest *r, struct arena *a, bool *parsed, struct err *e)
{
	char mask[KEY_HEX_PRIVATE];
	const struct hjson_member *m;
	const char *digits = NULL;
	struct hjson h;
	size_t n = 0;

	*parsed = false;
	if (r->len > FREEBSD_CONF_MAX)
		return err_set(e, ERR_CONFIG, NOWHERE, "%s has more than %d bytes", FREEBSD_CONF,
			FREEBSD_CONF_MAX);
	if (hjson_parse(arena_dupn(a, r->s, r->len), r->len, a, &h, e) < 0)
		return err_wrap(e, "%s cannot be read as a configuration (mend it or move it away)",
			FREEBSD_CONF);
	*parsed = true;
	m = hjson_find(&h, "PrivateKey");
	if (m != NULL)
		digits = hjson_plain(&h, m, &n);
	if (digits == NULL || n == 0)
		return 1;
	memset(mask, KEY_MASKED, sizeof(mask));
	if (n != sizeof(mask) || memcmp(digits, mask, n) != 0)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"%s: PrivateKey is not 128 hexadecimal digits", FREEBSD_CONF);
	return 0;
}

/* The key in the configuration counts where there is no key file, and must not contradict one. */
static int parse_key_conf(const char *hex, struct rest *r, const struct output *out,
	const char *place, bool known, struct arena *a, struct key_seen *key, struct err *e)
{
	struct pubkey own;
	struct rest conf = *r;
	bool parsed;
	int rc;

	if (!take_end(&conf))
		return broken(out, place, e);
	rc = conf_has_key(&conf, a, &parsed, e);
	/* Whoever reads the configuration says what is wrong with it; the identity is known. */
	if (known && (rc == 1 || !parsed))
		return 0;
	if (rc != 0)
		return rc;
	if (!pubkey_parse(hex, &own))
		return err_set(e, ERR_CONFIG, NOWHERE,
			"yggdrasil does not tell the public key of the PrivateKey in %s; is it "
			"installed, and is the key right?",
			FREEBSD_CONF);
	if (known && memcmp(own.b, key->key.b, sizeof(own.b)) != 0)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"the node has two identities: %s and the PrivateKey in %s are different "
			"keys; remove the one that is not to be",
			FREEBSD_KEY, FREEBSD_CONF);
	key->key = own;
	return 0;
}

/*
 * What is told of a key file, and the next line. 1: it is "end"; 0: it is more, and *line is what stands behind
 * the word there. key->in_file: there is a key file.
 */
static int parse_key_start(const struct output *out, struct rest *r, const char *word,
	const char *place, struct arena *a, struct key_seen *key, const char **line, struct err *e)
{
	const char *first;

	*key = (struct key_seen){ 0 };
	if (out->status != 0)
		return freebsd_said(out, e);
	first = take_line(r, a);
	if (first == NULL || (strcmp(first, "none") != 0 && !text_begins(first, "file ")))
		return broken(out, place, e);
	if (text_begins(first, "file ")) {
		if (parse_key_file(first, r, place, a, key, e) < 0)
			return -1;
		key->in_file = true;
	}
	*line = take_line(r, a);
	if (*line == NULL)
		return broken(out, place, e);
	if (strcmp(*line, "end") == 0)
		return r->len != 0 ? freebsd_garbled(place, e) : 1;
	if (!text_begins(*line, word))
		return freebsd_garbled(place, e);
	*line += strlen(word);
	return 0;
}

int freebsd_parse_key(const struct output *out, const char *place, struct arena *a,
	struct key_seen *key, struct err *e)
{
	struct rest r = { out->out, out->out_len };
	const char *hex;
	int rc = parse_key_start(out, &r, "conf ", place, a, key, &hex, e);

	if (rc == 0)
		return parse_key_conf(hex, &r, out, place, key->in_file, a, key, e);
	return rc == 1 && key->in_file ? 0 : rc;
}

static bool is_signature(const char *hex)
{
	return strspn(hex, "0123456789abcdef") == SIGNATURE_HEX - 1 &&
		hex[SIGNATURE_HEX - 1] == '\0';
}

/* Why there is no signature. */
static int unsigned_by(const char *what, bool in_file, const char *place, struct err *e)
{
	if (strcmp(what, "old") == 0)
		return err_set(
			e, ERR_SYSTEM, NOWHERE, "its openssl cannot sign (it is older than 3.0)");
	if (strcmp(what, "-") != 0)
		return freebsd_garbled(place, e);
	if (in_file)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"its openssl does not sign with the key in %s; is it whole?", FREEBSD_KEY);
	return err_set(e, ERR_SYSTEM, NOWHERE,
		"its openssl does not sign with the PrivateKey in %s; is yggdrasil installed, and "
		"is the key right?",
		FREEBSD_CONF);
}

int freebsd_parse_sign(const struct output *out, const char *place, struct arena *a,
	const char **hex, struct err *e)
{
	struct rest r = { out->out, out->out_len };
	struct key_seen key;
	const char *what;
	bool parsed;
	int rc = parse_key_start(out, &r, "signed ", place, a, &key, &what, e);

	if (rc == 1 && key.in_file)
		return freebsd_garbled(place, e);
	if (rc != 0)
		return rc;
	if (key.in_file && r.len != 0)
		return freebsd_garbled(place, e);
	if (!key.in_file) {
		if (!take_end(&r))
			return broken(out, place, e);
		/* A daemon makes a key up where the configuration has none. */
		rc = conf_has_key(&r, a, &parsed, e);
		if (rc != 0)
			return rc;
	}
	if (!is_signature(what))
		return unsigned_by(what, key.in_file, place, e);
	*hex = what;
	return 0;
}

static bool parse_pid(const char *s, pid_t *out)
{
	size_t n = strspn(s, "0123456789");

	if (n == 0 || n > 9 || s[n] != '\0')
		return false;
	*out = (pid_t)strtol(s, NULL, 10);
	return true;
}

/*
 * One row of sockstat(1): USER COMMAND PID FD PROTO LOCAL FOREIGN, counted from the back, for a command may
 * hold a space. "*:22" of tcp4 is any address of IPv4, of tcp6 and tcp46 any; IPv6 stands without brackets.
 */
static bool parse_row(const char *line, struct arena *a, const char **pid, const char **listening)
{
	char *row = arena_dup(a, line), *colon;
	const char *word[ROW_FIELDS];
	const char *local, *proto;
	size_t n = 0;

	for (char *w = strtok(row, " "); w != NULL; w = strtok(NULL, " ")) {
		if (n == ROW_FIELDS) {
			memmove(word + 1, word + 2, (ROW_FIELDS - 2) * sizeof(*word));
			n--;
		}
		word[n++] = w;
	}
	if (n != ROW_FIELDS)
		return false;
	*pid = word[2];
	proto = word[4];
	local = word[5];
	if (!text_begins(proto, "tcp"))
		return false;
	colon = strrchr(local, ':');
	if (colon == NULL || colon[1] == '\0' || colon[1 + strspn(colon + 1, "0123456789")] != '\0')
		return false;
	*colon = '\0';
	if (strcmp(local, "*") == 0)
		local = strcmp(proto, "tcp4") == 0 ? "0.0.0.0" : "::";
	*listening =
		arena_printf(a, strchr(local, ':') == NULL ? "%s:%s" : "[%s]:%s", local, colon + 1);
	return true;
}

/* As checkyesno of rc.subr(8). */
static bool is_yes(const char *s)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	char word[8];
	size_t n = strlen(s);

	if (n >= sizeof(word))
		return false;
	for (size_t i = 0; i <= n; i++)
		word[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] - 'A' + 'a' : s[i]);
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (strcmp(word, yes[i]) == 0)
			return true;
	return false;
}

int freebsd_parse_node(const struct output *out, const char *place, struct arena *a,
	struct node_state *state, struct err *e)
{
	struct rest r = { out->out, out->out_len };
	struct strs pids = { 0 };
	const char *line, *pid, *listening, *odd = NULL;

	*state = (struct node_state){ 0 };
	if (out->status != 0)
		return freebsd_said(out, e);
	while ((line = take_line(&r, a)) != NULL && text_begins(line, "pid ")) {
		pid_t one;

		if (!parse_pid(line + 4, &one))
			return freebsd_garbled(place, e);
		if (pids.n == 0)
			state->pid = one;
		strs_push(a, &pids, line + 4);
	}
	state->running = pids.n != 0;
	for (; line != NULL && text_begins(line, "socket "); line = take_line(&r, a)) {
		if (!parse_row(line + strlen("socket "), a, &pid, &listening)) {
			odd = line + strlen("socket ");
			continue;
		}
		if (strs_has(&pids, pid) && !strs_has(&state->listening, listening))
			strs_push(a, &state->listening, listening);
	}
	if (line == NULL || !text_begins(line, "boot "))
		return broken(out, place, e);
	/* The host's sockstat(1) has rows of jails too, whose programs may be called "a<newline>b". */
	if (odd != NULL && state->listening.n == 0)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"sockstat prints a row that is not understood: '%s'", odd);
	state->at_boot = is_yes(line + strlen("boot "));
	line = take_line(&r, a);
	if (line == NULL || strcmp(line, "end") != 0 || r.len != 0)
		return broken(out, place, e);
	strs_sort(&state->listening);
	return 0;
}

int freebsd_parse_ask(const struct output *out, const char *place, struct arena *a,
	const char **text, size_t *len, struct err *e)
{
	struct rest r = { out->out, out->out_len };

	if (out->status != 0)
		return freebsd_said(out, e);
	if (take(&r, "nobody\n"))
		return r.len == 0 ? 1 : freebsd_garbled(place, e);
	if (!take(&r, "answer\n") || !take_end(&r) || r.len == 0)
		return broken(out, place, e);
	r.len--; /* the newline behind it */
	if (r.len > FREEBSD_REPLY_MAX)
		return err_set(e, ERR_SYSTEM, NOWHERE, "the answer has more than %d bytes",
			FREEBSD_REPLY_MAX);
	if (r.len == 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "no answer came within 5 s");
	if (memchr(r.s, '\0', r.len) != NULL)
		return err_set(e, ERR_SYSTEM, NOWHERE, "the answer has a NUL in it");
	*text = arena_dupn(a, r.s, r.len);
	*len = r.len;
	return 0;
}

static int parse_jail(const cJSON *jail, struct arena *a, struct strs *names, struct err *e)
{
	const cJSON *name;

	if (json_member(jail, "name", ERR_SYSTEM, &name, e) < 0)
		return -1;
	if (cJSON_IsString(name))
		strs_push(a, names, arena_dup(a, name->valuestring));
	else if (cJSON_IsNumber(name) && name->valuedouble >= 0 && name->valuedouble < 1e9 &&
		(double)(int)name->valuedouble == name->valuedouble)
		/* Without a name of its own a jail is named by its number. */
		strs_push(a, names, arena_printf(a, "%.0f", name->valuedouble));
	else
		return err_set(e, ERR_SYSTEM, NOWHERE, "a jail has no name");
	return 0;
}

int freebsd_parse_jls(
	const char *text, size_t len, struct arena *a, struct strs *names, struct err *e)
{
	const cJSON *information = NULL, *list = NULL, *jail;
	cJSON *json;
	int rc;

	*names = (struct strs){ 0 };
	if (json_parse(text, len, JLS_MAX, ERR_SYSTEM, &json, e) < 0)
		return err_wrap(e, "what jls prints");
	rc = json_member(json, "jail-information", ERR_SYSTEM, &information, e);
	if (rc == 0 && information != NULL)
		rc = json_member(information, "jail", ERR_SYSTEM, &list, e);
	if (rc == 0 && !cJSON_IsArray(list))
		rc = err_set(e, ERR_SYSTEM, NOWHERE, "there is no list of jails in it");
	for (jail = rc == 0 ? list->child : NULL; jail != NULL && rc == 0; jail = jail->next)
		rc = parse_jail(jail, a, names, e);
	cJSON_Delete(json);
	return rc < 0 ? err_wrap(e, "what jls prints") : 0;
}
