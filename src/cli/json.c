#include <cjson/cJSON.h>
#include <string.h>

#include "cli/render.h"

void render_json_text(cJSON *to, const char *name, const char *text, struct arena *a)
{
	if (text == NULL)
		cJSON_AddNullToObject(to, name);
	else
		cJSON_AddStringToObject(to, name, text_safe(a, text, strlen(text), false));
}

static cJSON *change_json(const struct render *r, const struct change *c)
{
	cJSON *one = cJSON_CreateObject();

	cJSON_AddStringToObject(one, "action", action_name(c->action));
	cJSON_AddStringToObject(one, "kind", item_kind_name(c->kind));
	render_json_text(one, "target", c->scope, r->a);
	render_json_text(one, "key", c->key, r->a);
	render_json_text(one, "before", c->before, r->a);
	render_json_text(one, "after", c->after, r->a);
	render_json_text(one, "why", c->why, r->a);
	cJSON_AddNumberToObject(one, "line", c->line);
	return one;
}

static cJSON *failures_json(const struct render *r, const struct failures *f)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < f->n; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "kind", item_kind_name(f->v[i].kind));
		render_json_text(one, "target", f->v[i].scope, r->a);
		render_json_text(one, "key", f->v[i].key, r->a);
		cJSON_AddNumberToObject(one, "line", f->v[i].line);
		render_json_text(one, "error", f->v[i].text, r->a);
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
		cJSON_AddItemToArray(list, change_json(r, &p->v[i]));
	summary = cJSON_AddObjectToObject(top, "summary");
	cJSON_AddNumberToObject(summary, "add", (double)n.add);
	cJSON_AddNumberToObject(summary, "change", (double)n.change);
	cJSON_AddNumberToObject(summary, "remove", (double)n.remove);
	cJSON_AddNumberToObject(summary, "pair", (double)n.pair);
	return top;
}

static const char *finish(const struct render *r, cJSON *top, const struct strs *notices)
{
	cJSON *list = cJSON_AddArrayToObject(top, "notices");
	const char *text;
	char *printed;

	for (size_t i = 0; i < notices->n; i++) {
		const char *notice = notices->v[i];

		cJSON_AddItemToArray(
			list, cJSON_CreateString(text_safe(r->a, notice, strlen(notice), false)));
	}
	printed = cJSON_PrintUnformatted(top);
	text = arena_dup(r->a, printed);
	cJSON_free(printed);
	cJSON_Delete(top);
	return text;
}

const char *render_json_diff(const struct render *r, const struct view *v)
{
	cJSON *top = head(r, v->plan.n == 0 && v->failed.n == 0, &v->plan);

	cJSON_AddItemToObject(top, "failed", failures_json(r, &v->failed));
	return finish(r, top, &v->notices);
}

const char *render_json_report(const struct render *r, const struct report *report)
{
	bool whole = report->failed.n == 0 && report->n_waiting == 0 && !report->interrupted;
	cJSON *top = head(r, whole, &report->done), *list;

	cJSON_AddBoolToObject(top, "changed", report->changed);
	cJSON_AddItemToObject(top, "failed", failures_json(r, &report->failed));
	list = cJSON_AddArrayToObject(top, "pending");
	for (size_t i = 0; i < report->n_waiting; i++) {
		cJSON *one = cJSON_CreateObject();

		render_json_text(one, "peer", report->waiting[i].peer, r->a);
		render_json_text(one, "code", report->waiting[i].code, r->a);
		cJSON_AddItemToArray(list, one);
	}
	return finish(r, top, &report->notices);
}
