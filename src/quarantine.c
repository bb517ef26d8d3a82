/*
 * quarantine.c - rows that cannot be applied, kept for later.
 *
 * Part of the apply room.  When a source transaction has failed and option
 * "on_error" is quarantine_row, the worker starts over and applies that one
 * transaction carefully: every row in a subtransaction of its own, written at
 * once.  A row that fails for what it holds is kept in
 * mariadb_sync.quarantine, in the same commit as the transaction's other rows
 * and the position, and the stream goes on.  All other transactions know
 * nothing of this.
 *
 * What is wrong with the target as a whole (a missing table or column,
 * missing rights), or may pass by itself, is no row's fault and is not caught.
 *
 * With disable_table the careful run only finds out which table it is; the
 * worker then takes that out and applies the transaction without it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "apply_internal.h"
#include "subtransaction.h"
#include "worker.h"

/* a longer value is told by its length only */
#define MAX_KEPT_VALUE	(10 * 1024 * 1024)

static const char *const kind_names[] = {
	[MS_ROW_INSERT] = "insert",
	[MS_ROW_UPDATE] = "update",
	[MS_ROW_DELETE] = "delete",
};

/* Is it what the row holds, rather than the target or the circumstances? */
static bool
is_error_of_row(int sqlerrcode)
{
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case ERRCODE_CARDINALITY_VIOLATION:
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
		case ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION:
		case ERRCODE_EXTERNAL_ROUTINE_EXCEPTION:
		case ERRCODE_EXTERNAL_ROUTINE_INVOCATION_EXCEPTION:
		case ERRCODE_WITH_CHECK_OPTION_VIOLATION:
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
		case ERRCODE_PLPGSQL_ERROR:
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------------
 * A row image as jsonb
 * ------------------------------------------------------------------------
 */

/*
 * Text of a value as its target column would show it, NULL when it cannot
 * hold it.  *isnull is what a policy makes of it.
 */
static char *
value_text(MsColumn *col, const MsValue *v, bool *isnull)
{
	MsSubtransaction sub;
	char	   *text = NULL;

	ms_value_changes.ignore = true;
	ms_subtransaction_begin(&sub);
	PG_TRY();
	{
		Datum		datum;
		Oid			out_func;
		bool		is_varlena;

		*isnull = false;
		datum = col->build(col, v, isnull);
		if (!*isnull)
		{
			getTypeOutputInfo(col->typid, &out_func, &is_varlena);
			text = OidOutputFunctionCall(out_func, datum);
		}
		ms_subtransaction_commit(&sub);
	}
	PG_CATCH();
	{
		FreeErrorData(ms_subtransaction_abort(&sub));
		*isnull = false;
	}
	PG_END_TRY();
	ms_value_changes.ignore = false;
	return text;
}

/* Is the canonical value a string of bytes? */
static bool
has_bytes(MsKind kind)
{
	switch (kind)
	{
		case MS_KIND_TEXT:
		case MS_KIND_BYTES:
		case MS_KIND_BIT:
		case MS_KIND_JSON:
		case MS_KIND_UUID:
		case MS_KIND_INET4:
		case MS_KIND_INET6:
		case MS_KIND_GEOMETRY:
		case MS_KIND_VECTOR:
			return true;
		default:
			return false;
	}
}

/* What PostgreSQL cannot hold, in words: the bytes, or what they mean. */
static char *
describe_value(const MsColumn *col, const MsValue *v)
{
	StringInfoData buf;
	char		plain[MS_MAX_FORMATTED + 1];

	initStringInfo(&buf);
	if (has_bytes(col->kind))
	{
		appendStringInfoString(&buf, "\\x");
		for (uint32 i = 0; i < v->s.len; i++)
			appendStringInfo(&buf, "%02x", (unsigned char) v->s.data[i]);
		return buf.data;
	}
	switch (col->kind)
	{
		case MS_KIND_DATE:
		case MS_KIND_DATETIME:
		case MS_KIND_TIME:
			appendStringInfo(&buf, "%s%04d-%02d-%02d %02d:%02d:%02d.%06d",
							 v->t.neg ? "-" : "", v->t.year, v->t.month,
							 v->t.day, v->t.hour, v->t.minute, v->t.second,
							 v->t.usec);
			break;
		default:
			if (ms_value_has_format(col->kind))
			{
				plain[ms_value_format(col, v, plain)] = '\0';
				appendStringInfoString(&buf, plain);
			}
			else
				appendStringInfo(&buf, INT64_FORMAT, v->i);
			break;
	}
	return buf.data;
}

static void
push_string(JsonbParseState **state, JsonbIteratorToken token, char *text)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = text;
	value.val.string.len = strlen(text);
	(void) pushJsonbValue(state, token, &value);
}

/* {what: text} */
static void
push_note(JsonbParseState **state, const char *what, char *text)
{
	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_string(state, WJB_KEY, pstrdup(what));
	push_string(state, WJB_VALUE, text);
	(void) pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static void
push_value(JsonbParseState **state, MsColumn *col, const MsValue *v)
{
	JsonbValue	value;
	char	   *text;
	bool		isnull;

	if (has_bytes(col->kind) && v->s.len > MAX_KEPT_VALUE)
	{
		push_note(state, "omitted", psprintf("%u bytes", v->s.len));
		return;
	}
	text = value_text(col, v, &isnull);
	if (isnull)
	{
		value.type = jbvNull;
		(void) pushJsonbValue(state, WJB_VALUE, &value);
	}
	else if (text == NULL)
		push_note(state, "unreadable", describe_value(col, v));
	else if (col->kind == MS_KIND_INT || col->kind == MS_KIND_YEAR)
	{
		value.type = jbvNumeric;
		value.val.numeric = int64_to_numeric(v->i);
		(void) pushJsonbValue(state, WJB_VALUE, &value);
	}
	else if (col->kind == MS_KIND_UINT && v->u <= PG_INT64_MAX)
	{
		value.type = jbvNumeric;
		value.val.numeric = int64_to_numeric((int64) v->u);
		(void) pushJsonbValue(state, WJB_VALUE, &value);
	}
	else
		push_string(state, WJB_VALUE, text);
}

/*
 * One image as an object of the columns that have a target, by their names at
 * the source.  A value that the target's type cannot hold becomes an object
 * {"unreadable": bytes}.  *end is set to the byte after the image.
 */
static Jsonb *
image_to_jsonb(TablePlan *plan, const uint8 *p, const MsRowsEvent *rows,
			   const uint8 *present, const uint8 **end)
{
	MsRowFormat *format = &plan->format;
	JsonbParseState *state = NULL;
	int			n = format->ncolumns;
	int		   *columns = palloc(sizeof(int) * Max(1, n));
	MsValue    *values = palloc(sizeof(MsValue) * Max(1, n));
	bool	   *found = palloc0(Max(1, n));

	for (int i = 0; i < n; i++)
		columns[i] = i;
	*end = ms_value_pick_image_row(format, p, rows->end, present, columns, n,
								   values, found);
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < n; i++)
	{
		MsColumn   *col = &format->columns[i];

		if (col->attidx < 0 ||
			(present && (present[i / 8] & (1 << i % 8)) == 0))
			continue;
		push_string(&state, WJB_KEY, col->name);
		if (found[i])
			push_value(&state, col, &values[i]);
		else
		{
			JsonbValue	null;

			null.type = jbvNull;
			(void) pushJsonbValue(&state, WJB_VALUE, &null);
		}
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* ------------------------------------------------------------------------
 * The careful run
 * ------------------------------------------------------------------------
 */

static const uint8 *
skip_row(TablePlan *plan, const MsRowsEvent *rows, const uint8 *p)
{
	p = ms_value_pick_image_row(&plan->format, p, rows->end, rows->present,
								NULL, 0, NULL, NULL);
	if (rows->op == MS_ROW_UPDATE)
		p = ms_value_pick_image_row(&plan->format, p, rows->end,
									rows->present_after, NULL, 0, NULL, NULL);
	return p;
}

/* Keep the row that failed, inside the group's transaction. */
static void
keep_row(MsApply *apply, TablePlan *plan, const MsRowsEvent *rows,
		 const uint8 *p, const ErrorData *edata)
{
	MsQuarantined row = {0};

	row.subid = apply->sub->subid;
	row.gtid = apply->gtid_text;
	row.source_table = plan->name;
	row.kind = kind_names[rows->op];
	row.sqlstate = unpack_sql_state(edata->sqlerrcode);
	row.error = ms_worker_error_text(edata);
	if (rows->op != MS_ROW_INSERT)
		row.before = image_to_jsonb(plan, p, rows, rows->present, &p);
	if (rows->op != MS_ROW_DELETE)
		row.after = image_to_jsonb(plan, p, rows,
								   rows->op == MS_ROW_UPDATE ?
								   rows->present_after : rows->present, &p);
	ms_catalog_add_quarantined(&row);
	apply->counters[MS_CNT_APPLY_ERRORS]++;
	ereport(LOG,
			(errcode(edata->sqlerrcode),
			 errmsg("subscription \"%s\" puts a row of source table \"%s\" at GTID %s into quarantine: %s",
					apply->sub->name, plan->name, apply->gtid_text,
					edata->message),
			 errdetail_internal("%s", row.error),
			 errhint("When the cause is gone, use mariadb_sync.retry_quarantine(%s).",
					 quote_literal_cstr(apply->sub->name))));
}

/*
 * Apply one row with write_row, which gets its beginning and returns its end.
 * The plan's target is open before and after.  The row is written, or it is in
 * quarantine.
 */
const uint8 *
ms_quarantine_apply_row(MsApply *apply, TablePlan *plan, const MapEntry *entry,
						const MsRowsEvent *rows, const uint8 *p,
						MsWriteRowFn write_row, void *arg)
{
	MsSubtransaction sub;
	const uint8 *end = skip_row(plan, rows, p);
	bool		catching = apply->options->on_error == MS_ON_ERROR_QUARANTINE_ROW;
	uint64		counters[MS_NUM_COUNTERS];
	uint64		changes = ms_value_changes.count;
	TablePlan	before = *plan;
	ErrorData  *volatile edata = NULL;

	/* opened inside, so that an abort takes all of it away */
	ms_relmap_close_all(apply->relmap);
	if (!catching)
	{
		write_row(apply, plan, entry, rows, p, arg);
		ms_relmap_close_all(apply->relmap);
		ms_relmap_open(apply->relmap, plan, entry);
		return end;
	}

	memcpy(counters, apply->counters, sizeof(counters));
	ms_subtransaction_begin(&sub);
	PG_TRY();
	{
		write_row(apply, plan, entry, rows, p, arg);
		ms_relmap_close_all(apply->relmap);
		ms_subtransaction_commit(&sub);
	}
	PG_CATCH();
	{
		edata = ms_subtransaction_abort(&sub);
	}
	PG_END_TRY();

	if (edata)
	{
		if (!is_error_of_row(edata->sqlerrcode))
			ReThrowError(edata);
		ms_relmap_abort(apply->relmap);
		apply->plan = plan;
		apply->row = p;
		memcpy(apply->counters, counters, sizeof(counters));
		ms_value_changes.count = changes;
		ms_value_changes.ignore = false;
		plan->inserts = before.inserts;
		plan->updates = before.updates;
		plan->deletes = before.deletes;
		plan->conflicts = before.conflicts;
	}
	ms_relmap_open(apply->relmap, plan, entry);
	if (edata)
		keep_row(apply, plan, rows, p, edata);
	return end;
}
