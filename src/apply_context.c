/*
 * apply_context.c - where in the stream an error happened.
 *
 * Part of the apply room.  Runs while an error is being raised: nothing here
 * may look into a catalog, or raise another one.
 */
#include "postgres.h"

#include "apply_internal.h"

/* most bytes of a text that are shown */
#define MAX_SHOWN	40

/* A value in short, or "?" for what has no plain text. */
static void
append_value(StringInfo buf, const MsColumn *col, const MsValue *v)
{
	char		text[MS_MAX_FORMATTED + 1];

	if (ms_value_has_format(col->kind))
	{
		text[ms_value_format(col, v, text)] = '\0';
		appendStringInfoString(buf, text);
		return;
	}
	if (col->kind == MS_KIND_TEXT || col->kind == MS_KIND_BYTES)
	{
		for (uint32 i = 0; i < Min(v->s.len, MAX_SHOWN); i++)
		{
			unsigned char c = v->s.data[i];

			if (c >= ' ' && c < 0x7F)
				appendStringInfoChar(buf, c);
			else
				appendStringInfo(buf, "\\x%02x", c);
		}
		if (v->s.len > MAX_SHOWN)
			appendStringInfoString(buf, "...");
		return;
	}
	appendStringInfoChar(buf, '?');
}

/* The key of the row at hand, as "a=1, b=2"; false when there is none. */
static bool
describe_key(const MsApply *apply, StringInfo buf)
{
	const TablePlan *plan = apply->plan;
	const MsRowsEvent *rows = apply->rows;
	const uint8 *nulls = apply->row;
	const uint8 *p = nulls;
	int			npresent = 0;
	int			bit = 0;

	if (!ms_target_has_key(plan->target))
		return false;
	for (int i = 0; i < plan->format.ncolumns; i++)
		npresent += (rows->present[i / 8] >> (i % 8)) & 1;
	p += (npresent + 7) / 8;
	for (int i = 0; i < plan->format.ncolumns && p < rows->end; i++)
	{
		const MsColumn *col = &plan->format.columns[i];
		MsValue		v;

		if (((rows->present[i / 8] >> (i % 8)) & 1) == 0)
			continue;
		if ((nulls[bit / 8] >> (bit % 8)) & 1)
		{
			bit++;
			continue;
		}
		bit++;
		p = col->read_image(col, p, rows->end, &v);
		if (p == NULL)
			break;
		if (col->attidx < 0 ||
			!ms_target_is_key_column(plan->target, col->attidx))
			continue;
		appendStringInfo(buf, "%s%s=", buf->len ? ", " : "", col->name);
		append_value(buf, col, &v);
	}
	return buf->len > 0;
}

/*
 * Is the error about the row at hand?  An insert is written later, together
 * with others.
 */
static bool
is_about_row(const MsApply *apply)
{
	return apply->row != NULL && apply->plan->valid &&
		(apply->careful || apply->plan->format.current >= 0 ||
		 apply->rows->op != MS_ROW_INSERT);
}

void
ms_apply_error_callback(void *arg)
{
	MsApply    *apply = (MsApply *) arg;
	const TablePlan *plan = apply->plan;
	StringInfoData key;

	if (plan)
	{
		if (plan->valid && plan->format.current >= 0)
			errcontext("column \"%s\" of source table \"%s\"",
					   plan->format.columns[plan->format.current].name,
					   plan->name);
		else
			errcontext("source table \"%s\"", plan->name);
		initStringInfo(&key);
		if (is_about_row(apply) && describe_key(apply, &key))
			errcontext("row with key %s", key.data);
	}
	if (apply->event == NULL)
		errcontext("committing changes of subscription \"%s\" up to GTID %s",
				   apply->sub->name,
				   apply->gtid_text[0] ? apply->gtid_text : "(none)");
	else
		errcontext("applying %s event of subscription \"%s\" at GTID %s, binlog file \"%s\", end position %u",
				   ms_event_type_name(apply->event->type), apply->sub->name,
				   apply->gtid_text[0] ? apply->gtid_text : "(none)",
				   apply->current_file, apply->event->next_pos);
}
