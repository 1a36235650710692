#include <cjson/cJSON.h>
#include <string.h>

#include "cli/render.h"

static void add_text(cJSON *to, const char *name, const char *text)
{
	if (text == NULL)
		cJSON_AddNullToObject(to, name);
	else
		cJSON_AddStringToObject(to, name, text);
}

static cJSON *change_json(const struct change *c)
{
	cJSON *one = cJSON_CreateObject();

	cJSON_AddStringToObject(one, "action", action_name(c->action));
	cJSON_AddStringToObject(one, "kind", item_kind_name(c->kind));
	cJSON_AddStringToObject(one, "target", c->scope);
	cJSON_AddStringToObject(one, "key", c->key);
	add_text(one, "before", c->before);
	add_text(one, "after", c->after);
	add_text(one, "why", c->why);
	cJSON_AddNumberToObject(one, "line", c->line);
	return one;
}

static cJSON *failures_json(const struct failures *f)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < f->n; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "kind", item_kind_name(f->v[i].kind));
		cJSON_AddStringToObject(one, "target", f->v[i].scope);
		add_text(one, "key", f->v[i].key);
		cJSON_AddNumberToObject(one, "line", f->v[i].line);
		cJSON_AddStringToObject(one, "error", f->v[i].text);
		cJSON_AddItemToArray(list, one);
	}
	return list;
}

static cJSON *head(const struct render *r, bool in_sync, const struct plan *p)
{
	struct counts n = render_count(p);
	cJSON *top = cJSON_CreateObject(), *list, *summary;

	cJSON_AddNumberToObject(top, "format", 1);
	cJSON_AddStringToObject(top, "mesh", r->mesh);
	cJSON_AddBoolToObject(top, "in_sync", in_sync);
	list = cJSON_AddArrayToObject(top, "changes");
	for (size_t i = 0; i < p->n; i++)
		cJSON_AddItemToArray(list, change_json(&p->v[i]));
	summary = cJSON_AddObjectToObject(top, "summary");
	cJSON_AddNumberToObject(summary, "add", (double)n.add);
	cJSON_AddNumberToObject(summary, "change", (double)n.change);
	cJSON_AddNumberToObject(summary, "remove", (double)n.remove);
	cJSON_AddNumberToObject(summary, "pair", (double)n.pair);
	return top;
}

/*
 * JSON readers expect UTF-8, and what was observed may be any bytes; names and addresses of ours are
 * ASCII, so escaping what is odd loses nothing that matters.
 */
static const char *finish(const struct render *r, cJSON *top, const struct strs *notices)
{
	cJSON *list = cJSON_AddArrayToObject(top, "notices");
	const char *text;
	char *printed;

	for (size_t i = 0; i < notices->n; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(notices->v[i]));
	printed = cJSON_PrintUnformatted(top);
	text = text_safe(r->a, printed, strlen(printed), false);
	cJSON_free(printed);
	cJSON_Delete(top);
	return text;
}

const char *render_json_diff(const struct render *r, const struct view *v)
{
	cJSON *top = head(r, v->plan.n == 0 && v->failed.n == 0, &v->plan);

	cJSON_AddItemToObject(top, "failed", failures_json(&v->failed));
	return finish(r, top, &v->notices);
}

const char *render_json_report(const struct render *r, const struct report *report)
{
	bool whole = report->failed.n == 0 && report->n_waiting == 0 && !report->interrupted;
	cJSON *top = head(r, whole, &report->done), *list;

	cJSON_AddBoolToObject(top, "changed", report->changed);
	cJSON_AddItemToObject(top, "failed", failures_json(&report->failed));
	list = cJSON_AddArrayToObject(top, "pending");
	for (size_t i = 0; i < report->n_waiting; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "peer", report->waiting[i].peer);
		add_text(one, "code", report->waiting[i].code);
		cJSON_AddItemToArray(list, one);
	}
	return finish(r, top, &report->notices);
}
