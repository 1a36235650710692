#include "schema/shape.h"

#include <string.h>

#include "schema/problem.h"
#include "schema/value.h"

enum { FIELDS_MAX = 16 };

struct shape {
	struct arena *arena;
	struct problems *problems;
	struct text out;
	const struct cyaml_schema_value *top;
};

/* Where a value stands and how it is called in a sentence. */
struct spot {
	const char *key; /* the key it belongs to, or of the list that it is an entry of */
	bool is_entry, is_required;
	struct loc at;     /* of the value */
	struct loc key_at; /* of its key, or of the entry */
};

static bool check_value(struct shape *s, const struct cyaml_schema_value *want,
	const struct node *node, const struct spot *spot);

static const char *kind_name(const struct node *node)
{
	switch (node->kind) {
	case NODE_LIST:
		return "a list";
	case NODE_MAP:
		return "a mapping";
	case NODE_TEXT:
		break;
	}
	return "text";
}

static bool is_null(const struct node *node)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	if (node->kind != NODE_TEXT || !node->plain)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(node->text, words[i]) == 0)
			return true;
	return false;
}

static bool has_control(const struct node *node)
{
	for (size_t i = 0; i < node->len; i++)
		if ((unsigned char)node->text[i] < 0x20 || node->text[i] == 0x7f)
			return true;
	return false;
}

static void write_text(struct shape *s, const char *text)
{
	text_add(&s->out, "\"");
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			text_addn(&s->out, "\\", 1);
		text_addn(&s->out, p, 1);
	}
	text_add(&s->out, "\"");
}

/* "'jails'", or "an entry of 'jails'". */
static const char *called(const struct shape *s, const struct spot *spot)
{
	if (spot->key == NULL)
		return "a mesh file";
	return arena_printf(s->arena, spot->is_entry ? "an entry of '%s'" : "'%s'", spot->key);
}

/* A list or mapping was wanted and something else is there. */
static void wrong_kind(const struct shape *s, const struct node *node, const char *wanted,
	const char *hint, const struct spot *spot)
{
	struct loc at = spot->is_entry || node->kind == NODE_TEXT ? spot->at : spot->key_at;

	if (is_null(node) && spot->key != NULL)
		problem_add(s->problems, s->arena, spot->is_entry ? spot->at : spot->key_at,
			spot->is_entry              ? "leave the '-' out, or give it a value"
				: spot->is_required ? "give it a value"
						    : "leave the key out, or give it a value",
			"%s is empty", called(s, spot));
	else
		problem_add(s->problems, s->arena, at, hint, "%s must be %s, not %s",
			called(s, spot), wanted, kind_name(node));
}

static bool check_text(struct shape *s, const struct node *node, const struct spot *spot)
{
	if (node->kind != NODE_TEXT || is_null(node)) {
		wrong_kind(s, node, "text", NULL, spot);
		return false;
	}
	if (node->len == 0) {
		problem_add(s->problems, s->arena, spot->at, NULL, "%s is an empty text",
			called(s, spot));
		return false;
	}
	if (node->plain && value_is_no_text(node->text)) {
		problem_add(s->problems, s->arena, spot->at,
			arena_printf(s->arena, "put it in quotes: '%s'", node->text),
			"%s must be text, and '%s' is none to YAML", called(s, spot), node->text);
		return false;
	}
	if (has_control(node)) {
		problem_add(s->problems, s->arena, spot->at, NULL,
			"%s has a control character or a line break in it", called(s, spot));
		return false;
	}
	write_text(s, node->text);
	return true;
}

static const char *word_hint(
	const struct shape *s, const struct cyaml_schema_value *want, const char *text)
{
	static const struct {
		const char *word, *means;
	} switches[] = { { "yes", "true" }, { "on", "true" }, { "1", "true" }, { "no", "false" },
		{ "off", "false" }, { "0", "false" } };
	const char *words[FIELDS_MAX] = { NULL };
	size_t n = 0;

	for (; n < want->enumeration.count && n < FIELDS_MAX; n++)
		words[n] = want->enumeration.strings[n].str;
	if (n == 2 && strcmp(words[0], "true") == 0)
		for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++)
			if (strcmp(text, switches[i].word) == 0)
				return arena_printf(
					s->arena, "did you mean '%s'?", switches[i].means);
	return problem_nearest(s->arena, text, words, n);
}

static bool check_word(struct shape *s, const struct cyaml_schema_value *want,
	const struct node *node, const struct spot *spot)
{
	struct text list = text_new(s->arena);

	if (node->kind != NODE_TEXT || is_null(node)) {
		wrong_kind(s, node, "one word", NULL, spot);
		return false;
	}
	for (uint32_t i = 0; i < want->enumeration.count; i++) {
		const char *word = want->enumeration.strings[i].str;

		if (strlen(word) == node->len && memcmp(word, node->text, node->len) == 0) {
			write_text(s, word);
			return true;
		}
		text_addf(&list, "%s%s",
			i == 0                                     ? ""
				: i + 1 == want->enumeration.count ? " or "
								   : ", ",
			word);
	}
	problem_add(s->problems, s->arena, spot->at, word_hint(s, want, node->text),
		"%s must be %s, not '%s'", called(s, spot), list.s,
		problem_quote(s->arena, node->text));
	return false;
}

static const char *list_hint(
	const struct shape *s, const struct cyaml_schema_value *want, const struct node *node)
{
	const char *shown = "...";

	if (node->kind == NODE_TEXT && node->len < 64 && !has_control(node))
		shown = node->text;
	return arena_printf(s->arena,
		want->type == CYAML_MAPPING ? "write an entry as '- name: %s'"
					    : "write an entry as '- %s'",
		shown);
}

/* What stands for a bad value, so that entries keep their number and required texts are there. */
static void write_blank(struct shape *s, const struct cyaml_schema_value *value)
{
	const char *comma = "";

	if (value->type != CYAML_MAPPING) {
		text_add(&s->out, "\"\"");
		return;
	}
	text_add(&s->out, "{");
	for (const struct cyaml_schema_field *f = value->mapping.fields; f->key != NULL; f++) {
		if ((f->value.flags & CYAML_FLAG_OPTIONAL) != 0)
			continue;
		text_addf(&s->out, "%s\"%s\": \"\"", comma, f->key);
		comma = ", ";
	}
	text_add(&s->out, "}");
}

static bool check_list(struct shape *s, const struct cyaml_schema_value *want,
	const struct node *node, const struct spot *spot)
{
	const struct cyaml_schema_value *entry = want->sequence.entry;

	if (node->kind != NODE_LIST) {
		wrong_kind(s, node, "a list", list_hint(s, entry, node), spot);
		return false;
	}
	if (node->n < want->sequence.min) {
		problem_add(s->problems, s->arena, spot->key_at, "leave it out",
			"'%s' is an empty list", spot->key);
		return false;
	}
	if (node->n > want->sequence.max) {
		problem_add(s->problems, s->arena, spot->key_at, NULL,
			"'%s' has %zu entries, and %u are the most", spot->key, node->n,
			(unsigned)want->sequence.max);
		return false;
	}
	text_add(&s->out, "[");
	for (size_t i = 0; i < node->n; i++) {
		const struct entry *e = &node->entries[i];
		struct spot inner = { spot->key, true, false, e->at, e->at };
		size_t mark;

		if (i != 0)
			text_add(&s->out, ",\n");
		mark = s->out.len;
		if (!check_value(s, entry, e->value, &inner)) {
			s->out.len = mark;
			write_blank(s, entry);
		}
	}
	text_add(&s->out, "]");
	return true;
}

static const struct cyaml_schema_field *find_field(
	const struct cyaml_schema_field *fields, const struct node *key)
{
	for (; fields->key != NULL; fields++)
		if (strlen(fields->key) == key->len &&
			memcmp(fields->key, key->text, key->len) == 0)
			return fields;
	return NULL;
}

static void unknown_key(const struct shape *s, const struct cyaml_schema_field *fields,
	const struct entry *e, const struct spot *spot)
{
	const char *words[FIELDS_MAX] = { NULL }, *hint;
	size_t n = 0;

	if (strcmp(e->key->text, "<<") == 0) {
		problem_add(s->problems, s->arena, e->key_at,
			"write the keys out, or let an alias stand for the whole value",
			"merge keys ('<<') are not taken");
		return;
	}
	for (; n < FIELDS_MAX && fields[n].key != NULL; n++)
		words[n] = fields[n].key;
	hint = problem_nearest(s->arena, e->key->text, words, n);
	/* A key of another section that stands one level too high is a frequent slip. */
	for (const struct cyaml_schema_field *f = s->top->mapping.fields;
		hint == NULL && f->key != NULL; f++)
		if (f->value.type == CYAML_MAPPING &&
			find_field(f->value.mapping.fields, e->key) != NULL)
			hint = arena_printf(
				s->arena, "'%s' belongs under '%s:'", e->key->text, f->key);
	if (hint == NULL && spot->key != NULL && find_field(s->top->mapping.fields, e->key) != NULL)
		hint = arena_printf(
			s->arena, "'%s' belongs at the top, without indentation", e->key->text);
	problem_add(s->problems, s->arena, e->key_at, hint, "unknown key '%s'",
		problem_quote(s->arena, e->key->text));
}

static const struct cyaml_schema_field *check_key(struct shape *s,
	const struct cyaml_schema_field *fields, const struct entry *e, const struct spot *spot,
	struct loc *first)
{
	const struct cyaml_schema_field *field;

	if (e->key->kind != NODE_TEXT) {
		problem_add(s->problems, s->arena, e->key_at, NULL, "a key must be text, not %s",
			kind_name(e->key));
		return NULL;
	}
	field = find_field(fields, e->key);
	if (field == NULL) {
		unknown_key(s, fields, e, spot);
		return NULL;
	}
	if (first[field - fields].line != 0) {
		problem_add(s->problems, s->arena, e->key_at, "remove one of the two",
			"duplicate key '%s', first on line %d", field->key,
			first[field - fields].line);
		return NULL;
	}
	first[field - fields] = e->key_at;
	return field;
}

/* Writes one pair, where its value is good or must be there. */
static const char *write_field(struct shape *s, const struct cyaml_schema_field *field,
	const struct entry *e, const char *comma)
{
	bool is_required = (field->value.flags & CYAML_FLAG_OPTIONAL) == 0;
	struct spot spot = { field->key, false, is_required, NOWHERE, NOWHERE };
	size_t mark = s->out.len;

	text_addf(&s->out, "%s\"%s\": ", comma, field->key);
	if (e != NULL) {
		spot.at = e->at;
		spot.key_at = e->key_at;
		if (check_value(s, &field->value, e->value, &spot))
			return ",\n";
	}
	s->out.len = mark;
	if (!is_required)
		return comma;
	text_addf(&s->out, "%s\"%s\": \"\"", comma, field->key);
	return ",\n";
}

static void missing_key(struct shape *s, const char *key, const struct spot *spot)
{
	if (spot->key != NULL)
		problem_add(s->problems, s->arena, spot->at, NULL,
			"the key '%s' is missing in this entry of '%s'", key, spot->key);
	else
		problem_add(s->problems, s->arena, spot->at,
			strcmp(key, "version") == 0 ? "begin the file with 'version: 1'" : NULL,
			"the key '%s' is missing", key);
}

static bool check_map(struct shape *s, const struct cyaml_schema_value *want,
	const struct node *node, const struct spot *spot)
{
	const struct cyaml_schema_field *fields = want->mapping.fields;
	struct loc first[FIELDS_MAX] = { { 0, 0 } };
	const char *comma = "";

	if (node->kind != NODE_MAP) {
		wrong_kind(s, node, "a mapping",
			spot->is_entry ? list_hint(s, want, node)
				: spot->key == NULL
				? "it begins with 'version: 1' and 'name: ...'"
				: "write its keys below it, indented, as 'key: value'",
			spot);
		return false;
	}
	text_add(&s->out, "{");
	for (size_t i = 0; i < node->n; i++) {
		const struct entry *e = &node->entries[i];
		const struct cyaml_schema_field *field = check_key(s, fields, e, spot, first);

		if (field != NULL)
			comma = write_field(s, field, e, comma);
	}
	for (size_t i = 0; fields[i].key != NULL; i++) {
		if (first[i].line != 0 || (fields[i].value.flags & CYAML_FLAG_OPTIONAL) != 0)
			continue;
		missing_key(s, fields[i].key, spot);
		comma = write_field(s, &fields[i], NULL, comma);
	}
	text_add(&s->out, "}");
	return true;
}

/* Writes the value, or leaves what it wrote behind for the caller to take back. */
static bool check_value(struct shape *s, const struct cyaml_schema_value *want,
	const struct node *node, const struct spot *spot)
{
	switch (want->type) {
	case CYAML_STRING:
		return check_text(s, node, spot);
	case CYAML_ENUM:
		return check_word(s, want, node, spot);
	case CYAML_SEQUENCE:
		return check_list(s, want, node, spot);
	case CYAML_MAPPING:
		return check_map(s, want, node, spot);
	default:
		return false; /* the table has no others */
	}
}

const char *shape_check(const struct node *root, const struct cyaml_schema_value *table,
	struct arena *a, struct problems *problems)
{
	struct shape s = { a, problems, text_new(a), table };
	struct spot top = { NULL, false, true, root->at, root->at };

	if (!check_value(&s, table, root, &top))
		return NULL;
	return s.out.s;
}
