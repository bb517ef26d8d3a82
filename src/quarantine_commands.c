/*
 * quarantine_commands.c - the functions for transactions and rows that could
 * not be applied: skip_transaction() and retry_quarantine().
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "cascade.h"
#include "commands.h"
#include "relmap.h"
#include "role.h"
#include "subtransaction.h"
#include "worker.h"

PG_FUNCTION_INFO_V1(ms_skip_transaction);
PG_FUNCTION_INFO_V1(ms_retry_quarantine);

/* ------------------------------------------------------------------------
 * skip_transaction
 * ------------------------------------------------------------------------
 */

/* The text of one GTID that has not been applied yet. */
static char *
check_skippable(const MsSubscription *sub, const char *text)
{
	MsGtidList	wanted;
	MsGtidList	reached;
	MsPosition	position;
	const MsGtid *at;

	ms_gtid_init(&wanted);
	ms_gtid_init(&reached);
	if (!ms_gtid_parse_list(text, &wanted) || wanted.count != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid GTID \"%s\"", text),
				 errhint("Give the GTID of one transaction, such as \"0-1-100\": the column last_error_gtid of mariadb_sync.pg_stat_mariadb_sync has that of the one that failed. 'none' takes the wish back.")));
	if (ms_catalog_get_position(sub->subid, &position) && position.gtid)
		ms_gtid_parse_list_or_error(position.gtid, &reached);
	at = ms_gtid_find(&reached, wanted.items[0].domain);
	if (at && at->seq >= wanted.items[0].seq)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("subscription \"%s\" has passed GTID %s already",
						sub->name, text),
				 errdetail("It is at GTID position \"%s\".", position.gtid)));
	return ms_gtid_format_list(&wanted);
}

/*
 * skip_transaction(name, gtid): that one transaction is passed over when it
 * comes.  A subscription that waits in state error starts again.
 */
Datum
ms_skip_transaction(PG_FUNCTION_ARGS)
{
	char	   *gtid = text_to_cstring(PG_GETARG_TEXT_PP(1));
	MsSubscription *sub;

	ms_check_may_write("skip_transaction()");
	sub = ms_lock_own_subscription(NameStr(*PG_GETARG_NAME(0)),
								   ShareUpdateExclusiveLock, false);
	ms_catalog_set_skip_gtid(sub->subid,
							 pg_strcasecmp(gtid, "none") == 0 ? NULL :
							 check_skippable(sub, gtid));
	ms_notify_at_commit(sub->subid);
	if (sub->enabled)
		ms_restart_failed_at_commit(sub->subid);
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * retry_quarantine
 * ------------------------------------------------------------------------
 */

static void
not_readable(const MsColumn *col)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the value of column \"%s\" could not be kept as text",
					col->name),
			 errhint("Write the value it shall have into the image in mariadb_sync.quarantine, or copy the table again with mariadb_sync.resync_table().")));
}

/*
 * Fill a row from an image.  Returns which attributes it has, NULL = all that
 * are mapped.
 */
static bool *
read_image(TablePlan *plan, Jsonb *image, MsRow row)
{
	bool	   *present = palloc0(sizeof(bool) * MaxHeapAttributeNumber);
	bool		all = true;

	for (int i = 0; i < plan->format.ncolumns; i++)
	{
		MsColumn   *col = &plan->format.columns[i];
		JsonbValue	buf;
		JsonbValue *value;
		char	   *text = NULL;
		Oid			in_func;
		Oid			ioparam;

		if (col->attidx < 0)
			continue;
		value = getKeyJsonValueFromContainer(&image->root, col->name,
											 strlen(col->name), &buf);
		if (value == NULL)
		{
			all = false;
			continue;
		}
		present[col->attidx] = true;
		switch (value->type)
		{
			case jbvNull:
				break;
			case jbvString:
				text = pnstrdup(value->val.string.val, value->val.string.len);
				break;
			case jbvNumeric:
				text = DatumGetCString(DirectFunctionCall1(numeric_out,
														   NumericGetDatum(value->val.numeric)));
				break;
			case jbvBool:
				text = pstrdup(value->val.boolean ? "true" : "false");
				break;
			default:
				not_readable(col);
				break;
		}
		getTypeInputInfo(col->typid, &in_func, &ioparam);
		row.values[col->attidx] = OidInputFunctionCall(in_func, text, ioparam,
													   col->typmod);
		row.isnull[col->attidx] = text == NULL;
	}
	return all ? NULL : present;
}

static void
row_not_found(const MsQuarantined *row)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("row to %s was not found in the target of \"%s\"",
					row->kind, row->source_table),
			 errhint("If it is not needed any more, delete the row from mariadb_sync.quarantine.")));
}

/* What hangs on the row by foreign keys of the source is not changed here. */
static void
warn_of_dependants(const TablePlan *plan, const MsQuarantined *row)
{
	bool		update = strcmp(row->kind, "update") == 0;
	char	   *dependants = ms_cascade_dependants(plan->cascade, update);

	if (dependants == NULL)
		return;
	ereport(WARNING,
			(errmsg("rows that refer to the row of \"%s\" at GTID %s are left as they are",
					row->source_table, row->gtid),
			 errdetail("On the source its %s may have changed rows of %s by foreign keys.",
					   row->kind, dependants),
			 errhint("Use mariadb_sync.verify() with repair for these tables.")));
}

static void
write_row(MsRelmap *relmap, const MsQuarantined *row)
{
	const char *dot = strchr(row->source_table, '.');
	TablePlan  *plan = ms_relmap_find_name(relmap,
										   pnstrdup(row->source_table,
													dot - row->source_table),
										   dot + 1);
	const bool *old_present = NULL;
	const bool *new_present = NULL;

	if (plan == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("source table \"%s\" is no longer part of the subscription",
						row->source_table),
				 errhint("Delete its rows from mariadb_sync.quarantine; if the table comes back, its copy has them.")));
	ms_relmap_open(relmap, plan, NULL);
	if (row->before)
		old_present = read_image(plan, row->before,
								 ms_target_old_row(plan->target));
	if (strcmp(row->kind, "insert") == 0)
	{
		MsRow		new = ms_target_insert_row(plan->target);
		MemoryContext oldcxt;

		oldcxt = MemoryContextSwitchTo(ms_target_insert_context(plan->target));
		if (row->after == NULL || read_image(plan, row->after, new) != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the image does not have all columns of the table"),
					 errhint("Complete after_image in mariadb_sync.quarantine, or delete the row there and let verify() repair the table.")));
		MemoryContextSwitchTo(oldcxt);
		ms_target_set_image(plan->target, NULL, NULL);
		ms_target_insert(plan->target, 0);
	}
	else if (strcmp(row->kind, "update") == 0)
	{
		new_present = read_image(plan, row->after,
								 ms_target_new_row(plan->target));
		ms_target_set_image(plan->target, old_present, new_present);
		if (!ms_target_update(plan->target))
			row_not_found(row);
	}
	else
	{
		ms_target_set_image(plan->target, old_present, NULL);
		if (!ms_target_delete(plan->target))
			row_not_found(row);
	}
	if (strcmp(row->kind, "insert") != 0)
		warn_of_dependants(plan, row);
	ms_relmap_close_all(relmap);
}

/* In a subtransaction; a row that fails again stays, with its new error. */
static bool
retry_row(MsRelmap *relmap, const MsQuarantined *row)
{
	MsSubtransaction sub;
	ErrorData  *volatile edata = NULL;

	ms_subtransaction_begin(&sub);
	PG_TRY();
	{
		PushActiveSnapshot(GetLatestSnapshot());
		write_row(relmap, row);
		PopActiveSnapshot();
		ms_subtransaction_commit(&sub);
	}
	PG_CATCH();
	{
		edata = ms_subtransaction_abort(&sub);
	}
	PG_END_TRY();

	if (edata == NULL)
	{
		ms_catalog_delete_quarantined(row->id);
		return true;
	}
	ms_relmap_abort(relmap);
	/* a cancelled or failing session is no finding about the row */
	if (ms_worker_is_transient(edata->sqlerrcode))
		ReThrowError(edata);
	ms_catalog_set_quarantine_error(row->id,
									unpack_sql_state(edata->sqlerrcode),
									ms_worker_error_text(edata));
	return false;
}

/* Become what the apply worker is when it writes; undone by the caller. */
static void
become_writer(const MsSubscription *sub, const MsSubscriptionOptions *options,
			  MsRole *before)
{
	ms_role_become(options->run_as_owner ? sub->owner : BOOTSTRAP_SUPERUSERID,
				   before);
	(void) set_config_option("session_replication_role", "replica",
							 PGC_SUSET, PGC_S_OVERRIDE, GUC_ACTION_SAVE, true,
							 0, false);
	(void) set_config_option("TimeZone", "UTC", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("DateStyle", "ISO, YMD", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("IntervalStyle", "postgres", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * retry_quarantine(name): try the rows again, in the order in which they
 * came; those that can be applied now leave the quarantine.
 */
Datum
ms_retry_quarantine(PG_FUNCTION_ARGS)
{
	MsSubscription *sub;
	MsSubscriptionOptions options;
	MsRelmap   *relmap;
	MemoryContext oldcxt;
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {false, false};
	int64		applied = 0;
	int64		remaining = 0;
	MsRole		before;
	ListCell   *lc;

	ms_check_may_write("retry_quarantine()");
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	sub = ms_lock_own_subscription(NameStr(*PG_GETARG_NAME(0)),
								   ShareUpdateExclusiveLock, false);
	ms_options_parse(sub->options, &options);

	/* an invalidation may look at it after an error */
	oldcxt = MemoryContextSwitchTo(TopMemoryContext);
	relmap = ms_relmap_create(sub, &options, sub->owner);
	MemoryContextSwitchTo(oldcxt);
	foreach(lc, ms_catalog_get_tables(sub->subid))
		ms_relmap_add(relmap, lfirst(lc));
	ms_cascade_link(relmap);

	become_writer(sub, &options, &before);
	foreach(lc, ms_catalog_get_quarantined(sub->subid))
	{
		if (retry_row(relmap, lfirst(lc)))
			applied++;
		else
			remaining++;
		CHECK_FOR_INTERRUPTS();
	}
	ms_role_return(&before);
	ms_relmap_destroy(relmap);

	if (applied > 0)
		ms_catalog_add_history(sub->subid, "retry_quarantine", NULL, NULL,
							   NULL, psprintf(INT64_FORMAT " rows applied, "
											  INT64_FORMAT " remain",
											  applied, remaining));
	values[0] = Int64GetDatum(applied);
	values[1] = Int64GetDatum(remaining);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
