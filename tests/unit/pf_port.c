#include "tests/unit/pf_port.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOISE "No ALTQ support in kernel\nALTQ related functions disabled\n"

struct entry {
	bool negated;
	int family, len;
	unsigned char b[16];
};

struct table {
	const char *anchor, *name;
	struct entry *v;
	size_t n, cap;
};

struct rules {
	const char *anchor;
	struct strs lines;
};

struct file {
	const char *path, *text;
};

struct pf_place {
	const char *name;
	bool enabled, boot;
	struct table *tables;
	size_t n_tables, cap_tables;
	struct rules *rules;
	size_t n_rules, cap_rules;
	struct file *files;
	size_t n_files, cap_files;
	struct strs states; /* "FROM>TO" */
	struct strs skipped, translations;
};

struct pf_port *pf_port_new(struct arena *a)
{
	struct pf_port *p = arena_alloc(a, 1, sizeof(*p));

	p->arena = a;
	p->log = text_new(a);
	p->rounds_left = -1;
	return p;
}

#define PUSH(p, list, n, cap)                                              \
	do {                                                               \
		void *v_ = (list);                                         \
		arena_push((p)->arena, &v_, (n), &(cap), sizeof(*(list))); \
		(list) = v_;                                               \
		(n)++;                                                     \
	} while (0)

static struct pf_place *place_of(struct pf_port *p, const char *name)
{
	name = name == NULL ? "host" : name;
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->places[i].name, name) == 0)
			return &p->places[i];
	PUSH(p, p->places, p->n, p->cap);
	p->places[p->n - 1].name = arena_dup(p->arena, name);
	return &p->places[p->n - 1];
}

static struct table *table_of(
	struct pf_port *p, struct pf_place *at, const char *anchor, const char *name, bool make)
{
	for (size_t i = 0; i < at->n_tables; i++)
		if (strcmp(at->tables[i].name, name) == 0 &&
			strcmp(at->tables[i].anchor, anchor) == 0)
			return &at->tables[i];
	if (!make)
		return NULL;
	PUSH(p, at->tables, at->n_tables, at->cap_tables);
	at->tables[at->n_tables - 1].anchor = arena_dup(p->arena, anchor);
	at->tables[at->n_tables - 1].name = arena_dup(p->arena, name);
	return &at->tables[at->n_tables - 1];
}

static struct rules *rules_of(struct pf_port *p, struct pf_place *at, const char *anchor, bool make)
{
	for (size_t i = 0; i < at->n_rules; i++)
		if (strcmp(at->rules[i].anchor, anchor) == 0)
			return &at->rules[i];
	if (!make)
		return NULL;
	PUSH(p, at->rules, at->n_rules, at->cap_rules);
	at->rules[at->n_rules - 1].anchor = arena_dup(p->arena, anchor);
	return &at->rules[at->n_rules - 1];
}

static struct file *file_of(struct pf_place *at, const char *path)
{
	for (size_t i = 0; i < at->n_files; i++)
		if (strcmp(at->files[i].path, path) == 0)
			return &at->files[i];
	return NULL;
}

static bool entry_of(const char *text, struct entry *out)
{
	char copy[80], *slash;

	memset(out, 0, sizeof(*out));
	out->negated = *text == '!';
	snprintf(copy, sizeof(copy), "%s", text + out->negated);
	slash = strchr(copy, '/');
	if (slash != NULL)
		*slash++ = '\0';
	out->family = strchr(copy, ':') != NULL ? AF_INET6 : AF_INET;
	out->len = slash != NULL ? atoi(slash) : out->family == AF_INET6 ? 128 : 32;
	return inet_pton(out->family, copy, out->b) == 1;
}

static int by_entry(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct entry));
}

static void add_entry(struct pf_port *p, struct table *t, const struct entry *one)
{
	PUSH(p, t->v, t->n, t->cap);
	t->v[t->n - 1] = *one;
}

static void tidy(struct table *t)
{
	size_t kept = 0;

	if (t->n > 1)
		qsort(t->v, t->n, sizeof(*t->v), by_entry);
	for (size_t i = 0; i < t->n; i++)
		if (kept == 0 || by_entry(&t->v[kept - 1], &t->v[i]) != 0)
			t->v[kept++] = t->v[i];
	t->n = kept;
}

static void drop_entry(struct table *t, const struct entry *one)
{
	for (size_t i = 0; i < t->n; i++)
		if (by_entry(&t->v[i], one) == 0)
			t->v[i--] = t->v[--t->n];
}

static const char *show(struct pf_port *p, struct table *t)
{
	struct text out = text_new(p->arena);

	tidy(t);
	for (size_t i = 0; i < t->n; i++) {
		const struct entry *one = &t->v[i];
		char text[ADDR_TEXT];

		inet_ntop(one->family, one->b, text, sizeof(text));
		text_addf(&out, "  %c%s", one->negated ? '!' : ' ', text);
		if (one->len != (one->family == AF_INET6 ? 128 : 32))
			text_addf(&out, "/%d", one->len);
		text_add(&out, "\n");
	}
	return out.s;
}

static struct output said(struct pf_port *p, int status, const char *out, const char *err)
{
	return (struct output){ .status = status,
		.out = out,
		.out_len = strlen(out),
		.err = arena_printf(p->arena, NOISE "%s", err) };
}

static struct output table_change(struct pf_port *p, struct pf_place *at, const char *anchor,
	const char *name, const char *verb, const char *input)
{
	bool add = strcmp(verb, "add") == 0;
	struct table *t = table_of(p, at, anchor, name, add);
	char *copy = arena_dup(p->arena, input), *save = NULL;
	size_t n = 0;

	if (t == NULL)
		return said(p, 255, "", "pfctl: Table does not exist.");
	for (const char *q = input; *q != '\0'; q++)
		n += *q == '\n';
	if (n > 32768)
		return said(p, 255, "", "pfctl: Invalid argument.");
	for (char *word = strtok_r(copy, " \n", &save); word != NULL;
		word = strtok_r(NULL, " \n", &save)) {
		struct entry one;

		if (!entry_of(word, &one))
			return said(p, 1, "", "no IP address found");
		if (add)
			add_entry(p, t, &one);
		else
			drop_entry(t, &one);
	}
	tidy(t);
	if (t->n > 65535)
		return said(p, 255, "", "pfctl: Invalid argument.");
	return said(p, 0, "", add ? "1/1 addresses added." : "1/1 addresses deleted.");
}

/* A rule as it is listed; NULL: a syntax error. */
static const char *normal(struct pf_port *p, const char *line)
{
	static const char *const known[] = { "pass quick inet all", "pass out on ", "block in on ",
		"pass in on ", "pass in quick on ", "block in quick on ", "pass out quick on " };
	bool found = false;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		found = found || strncmp(line, known[i], strlen(known[i])) == 0;
	if (!found)
		return NULL;
	if (strncmp(line, "block ", 6) == 0)
		return arena_printf(p->arena, "block drop %s", line + 6);
	return arena_printf(p->arena, "%s%s flags S/SA keep state", line,
		strstr(line, " from ") != NULL ? " to any" : "");
}

static bool load_table(
	struct pf_port *p, struct pf_place *at, const char *anchor, char *line, bool check)
{
	char name[32], *save = NULL, *brace = strchr(line, '{');
	struct table *t;

	if (sscanf(line, "table <%31[A-Za-z0-9_]> persist", name) != 1 ||
		strstr(line, ", }") != NULL)
		return false;
	t = check ? NULL : table_of(p, at, anchor, name, true);
	if (brace == NULL)
		return true;
	if (t != NULL)
		t->n = 0;
	for (char *word = strtok_r(brace + 1, " ,}", &save); word != NULL;
		word = strtok_r(NULL, " ,}", &save)) {
		struct entry one;

		if (!entry_of(word, &one))
			return false;
		if (t != NULL)
			add_entry(p, t, &one);
	}
	return true;
}

static struct output load(
	struct pf_port *p, struct pf_place *at, const char *anchor, const char *text, bool check)
{
	const char *const bad =
		"stdin:1: syntax error\npfctl: Syntax error in config file: pf rules not loaded";
	struct strs lines = { 0 };
	char *copy = arena_dup(p->arena, text), *save = NULL;

	if (*text == '\0' || text[strlen(text) - 1] != '\n' || strchr(text, '\r') != NULL)
		return said(p, 1, "", bad);
	for (char *line = strtok_r(copy, "\n", &save); line != NULL;
		line = strtok_r(NULL, "\n", &save)) {
		const char *listed;

		if (*line == '#')
			continue;
		if (strncmp(line, "table ", 6) == 0) {
			if (!load_table(p, at, anchor, line, check))
				return said(p, 1, "", bad);
			continue;
		}
		if ((listed = normal(p, line)) == NULL)
			return said(p, 1, "", bad);
		strs_push(p->arena, &lines, listed);
	}
	if (check)
		return said(p, 0, "", "");
	rules_of(p, at, anchor, true)->lines = lines;
	if (*anchor == '\0')
		at->skipped = at->translations = (struct strs){ 0 };
	return said(p, 0, "", "");
}

static bool covers(const struct entry *net, const char *text)
{
	struct entry one;
	int bits = net->len;

	if (!entry_of(text, &one) || one.family != net->family)
		return false;
	for (int i = 0; i < bits; i++)
		if (((one.b[i / 8] ^ net->b[i / 8]) >> (7 - i % 8) & 1) != 0)
			return false;
	return true;
}

static struct output end_states(
	struct pf_port *p, struct pf_place *at, const char *from, const char *to)
{
	struct strs left = { 0 };
	struct entry a, b;

	if (!entry_of(from, &a) || !entry_of(to, &b))
		return said(p, 1, "", "pfctl: getaddrinfo: Name does not resolve");
	for (size_t i = 0; i < at->states.n; i++) {
		char one[2 * ADDR_TEXT], *arrow;

		snprintf(one, sizeof(one), "%s", at->states.v[i]);
		arrow = strchr(one, '>');
		*arrow = '\0';
		if (!covers(&a, one) || !covers(&b, arrow + 1))
			strs_push(p->arena, &left, at->states.v[i]);
	}
	at->states = left;
	return said(p, 0, "", "killed 1 states");
}

static const char *lines_of(struct pf_port *p, const struct strs *list, const char *end)
{
	struct text out = text_new(p->arena);

	for (size_t i = 0; i < list->n; i++)
		text_addf(&out, "%s%s\n", list->v[i], end);
	return out.s;
}

static struct output pfctl(
	struct pf_port *p, struct pf_place *at, const char *const *argv, const char *input)
{
	const char *anchor = "", *const *w = argv + 1;
	struct rules *rules;
	struct table *t;

	if (strcmp(w[0], "-a") == 0) {
		anchor = w[1];
		w += 2;
	}
	if (strcmp(w[0], "-si") == 0)
		return said(p, 0,
			at->enabled ? "Status: Enabled for 0 days 00:00:07   Debug: Urgent\n"
				    : "Status: Disabled   Debug: Urgent\n",
			"");
	if (strcmp(w[0], "-e") == 0) {
		bool was = at->enabled;

		at->enabled = true;
		return said(p, was, "", was ? "pfctl: pf already enabled" : "pf enabled");
	}
	if (strcmp(w[0], "-sr") == 0) {
		struct text out = text_new(p->arena);

		rules = rules_of(p, at, anchor, false);
		if (rules == NULL && *anchor != '\0')
			return said(p, 0, "", "pfctl: DIOCGETRULES: Invalid argument");
		for (size_t i = 0; rules != NULL && i < rules->lines.n; i++)
			text_addf(&out, "%s\n", rules->lines.v[i]);
		return said(p, 0, out.s, "");
	}
	if (strcmp(w[0], "-sn") == 0)
		return said(p, 0, lines_of(p, &at->translations, ""), "");
	if (strcmp(w[0], "-vsI") == 0)
		return said(p, 0,
			arena_printf(
				p->arena, "all\nlo0\n%s", lines_of(p, &at->skipped, " (skip)")),
			"");
	if (strcmp(w[0], "-k") == 0)
		return w[2] == NULL ? end_states(p, at, w[1], "::/0")
				    : end_states(p, at, w[1], w[3]);
	if (strcmp(w[0], "-nf") == 0 || strcmp(w[0], "-f") == 0)
		return load(p, at, anchor, input, w[0][1] == 'n');
	if (strcmp(w[0], "-t") != 0 || strcmp(w[2], "-T") != 0)
		return said(p, 1, "", "usage: pfctl");
	if (strcmp(w[3], "show") != 0)
		return table_change(p, at, anchor, w[1], w[3], input);
	t = table_of(p, at, anchor, w[1], false);
	return t == NULL ? said(p, 255, "", "pfctl: Table does not exist.")
			 : said(p, 0, show(p, t), "");
}

static struct output run_one(struct pf_port *p, const struct command *c, const char *words)
{
	struct pf_place *at = place_of(p, c->jail);
	const char *input = c->input == NULL ? "" : c->input;

	if (p->failing != NULL && strstr(words, p->failing) != NULL)
		return said(p, p->status, "", p->err);
	if (strcmp(c->argv[0], "pfctl") == 0)
		return pfctl(p, at, c->argv, input);
	if (strcmp(words, "sysrc -n pf_enable pf_rules") == 0)
		return said(p, 0,
			arena_printf(p->arena, "%s\n%s\n", at->boot ? "YES" : "NO",
				p->boot_file == NULL ? "/etc/pf.conf" : p->boot_file),
			"");
	if (strcmp(words, "sysrc pf_enable=YES") == 0) {
		at->boot = true;
		return said(p, 0, "pf_enable: NO -> YES\n", "");
	}
	return said(p, 127, "", "no such program");
}

static void log_text(struct pf_port *p, const char *text)
{
	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, "\n");

		text_addf(&p->log, "  < %.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static const char *words_of(struct pf_port *p, const struct command *c)
{
	struct text words = text_new(p->arena);

	for (size_t i = 0; c->argv[i] != NULL; i++)
		text_addf(&words, "%s%s", i == 0 ? "" : " ", c->argv[i]);
	return words.s;
}

static int port_run_all(void *self, const struct command *cmds, size_t n, struct arena *a,
	struct output *outs, struct err *e)
{
	struct pf_port *p = self;

	(void)a;
	if (p->rounds_left == 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "the connection was lost");
	p->rounds_left -= p->rounds_left > 0;
	text_add(&p->log, "round\n");
	for (size_t i = 0; i < n; i++) {
		const char *words = words_of(p, &cmds[i]);

		text_addf(&p->log, "%s$ %s\n", cmds[i].jail == NULL ? "host" : cmds[i].jail, words);
		log_text(p, cmds[i].input);
		outs[i] = run_one(p, &cmds[i], words);
	}
	return 0;
}

static int port_look(void *self, struct look *v, size_t n, struct arena *a, struct err *e)
{
	struct pf_port *p = self;

	(void)a;
	(void)e;
	p->looks++;
	for (size_t i = 0; i < n; i++) {
		if (v[i].kind == LOOK_RUN) {
			v[i].output = run_one(p, &v[i].cmd, words_of(p, &v[i].cmd));
		} else if (v[i].kind != LOOK_FILE) {
			v[i].rc =
				err_set(&v[i].err, ERR_SYSTEM, NOWHERE, "there are no nodes here");
		} else {
			v[i].text = pf_port_text(p, v[i].place, v[i].path);
			v[i].len = v[i].text == NULL ? 0 : strlen(v[i].text);
			v[i].rc = v[i].text == NULL;
			if (v[i].len > v[i].max)
				v[i].rc = err_set(&v[i].err, ERR_SYSTEM, NOWHERE, "too large");
		}
	}
	return 0;
}

static int port_replace(void *self, const char *jail, const char *path, const void *bytes,
	size_t len, mode_t mode, struct err *e)
{
	struct pf_port *p = self;

	(void)mode;
	if (p->rounds_left == 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "the connection was lost");
	text_addf(&p->log, "%s$ replace %s\n", jail == NULL ? "host" : jail, path);
	log_text(p, arena_dupn(p->arena, bytes, len));
	pf_port_file(p, jail, path, arena_dupn(p->arena, bytes, len));
	return 0;
}

struct port pf_port_port(struct pf_port *p)
{
	static const struct port_ops ops = {
		.name = "pf in memory",
		.traits = { .saves_firewall = true },
		.look = port_look,
		.run = port_run_all,
		.replace = port_replace,
	};

	return (struct port){ &ops, p };
}

const char *pf_port_log(struct pf_port *p)
{
	const char *log = p->log.s;

	p->log = text_new(p->arena);
	return log;
}

void pf_port_enable(struct pf_port *p, const char *place, bool on)
{
	place_of(p, place)->enabled = on;
}

void pf_port_boot(struct pf_port *p, const char *place)
{
	place_of(p, place)->boot = true;
}

void pf_port_rule(struct pf_port *p, const char *place, const char *anchor, const char *listed)
{
	struct rules *rules = rules_of(p, place_of(p, place), anchor, true);

	strs_push(p->arena, &rules->lines, listed);
}

void pf_port_skip(struct pf_port *p, const char *place, const char *name)
{
	strs_push(p->arena, &place_of(p, place)->skipped, name);
}

void pf_port_translation(struct pf_port *p, const char *place, const char *listed)
{
	strs_push(p->arena, &place_of(p, place)->translations, listed);
}

void pf_port_entry(struct pf_port *p, const char *place, const char *anchor, const char *table,
	const char *entry)
{
	struct entry one;

	if (!entry_of(entry, &one))
		abort();
	add_entry(p, table_of(p, place_of(p, place), anchor, table, true), &one);
}

void pf_port_state(struct pf_port *p, const char *place, const char *from, const char *to)
{
	strs_push(p->arena, &place_of(p, place)->states, arena_printf(p->arena, "%s>%s", from, to));
}

void pf_port_file(struct pf_port *p, const char *place, const char *path, const char *text)
{
	struct pf_place *at = place_of(p, place);
	struct file *file = file_of(at, path);

	if (file == NULL) {
		PUSH(p, at->files, at->n_files, at->cap_files);
		file = &at->files[at->n_files - 1];
		file->path = arena_dup(p->arena, path);
	}
	file->text = text;
}

const char *pf_port_text(struct pf_port *p, const char *place, const char *path)
{
	const struct file *file = file_of(place_of(p, place), path);

	return file == NULL ? NULL : file->text;
}

const char *pf_port_rules(struct pf_port *p, const char *place, const char *anchor)
{
	const struct rules *rules = rules_of(p, place_of(p, place), anchor, false);
	struct text out = text_new(p->arena);

	for (size_t i = 0; rules != NULL && i < rules->lines.n; i++)
		text_addf(&out, "%s\n", rules->lines.v[i]);
	return out.s;
}

const char *pf_port_table(
	struct pf_port *p, const char *place, const char *anchor, const char *table)
{
	struct table *t = table_of(p, place_of(p, place), anchor, table, false);

	return t == NULL ? "" : show(p, t);
}

bool pf_port_boots(struct pf_port *p, const char *place)
{
	return place_of(p, place)->boot;
}

const char *pf_port_states(struct pf_port *p, const char *place)
{
	const struct strs *states = &place_of(p, place)->states;
	struct text out = text_new(p->arena);

	for (size_t i = 0; i < states->n; i++)
		text_addf(&out, "%s\n", states->v[i]);
	return out.s;
}
