/*
 * verify.c - the proof that both sides are equal, while changes keep flowing.
 *
 * verify() runs in the user's session.  It opens read views on the source, all
 * at one position, lets the apply worker come to exactly that position and
 * stand still there (verify_views.c, fence.c) just long enough to take a
 * snapshot here, and then compares both at leisure: part by part by a sum of hashes that does not
 * depend on the order (verify_compare.c), and by key where a part differs
 * (verify_keys.c).  The texts that are hashed are made by SQL on the source
 * (verify_text.c, verify_source.c) and by code of their own on the target
 * (verify_target.c), which workers scan under the session's snapshot
 * (verify_pool.c, verify_worker.c).
 *
 * What differs is written anew by verify_repair.c.
 */
#include "postgres.h"

#include "access/xact.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "clock.h"
#include "commands.h"
#include "fence.h"
#include "mariadb_sync.h"
#include "remote_schema.h"
#include "role.h"
#include "snapshot.h"
#include "sql.h"
#include "verify_run.h"

PG_FUNCTION_INFO_V1(ms_verify);

/* Take both views, at one position. */
static void
open_views(Verify *v)
{
	int			wanted = v->nwires;
	double		pause;

	for (;;)
	{
		ms_verify_align_views(v, true);
		/* it is renewed within subtransactions */
		v->snapshot = RegisterSnapshotOnOwner(GetLatestSnapshot(),
											  TopTransactionResourceOwner);
		pause = ms_fence_release();
		if (ms_verify_confirm_views(v))
			break;
		UnregisterSnapshotFromOwner(v->snapshot, TopTransactionResourceOwner);
	}
	v->nwires = v->nviews;
	v->views_since = ms_clock_now();
	ereport(LOG,
			(errmsg("subscription \"%s\" is verified at GTID position \"%s\"; streaming paused for %.1f ms",
					v->sub->name, v->gtid, pause),
			 v->nwires < wanted ?
			 errdetail("Of %d read views %d were at this position.", wanted, v->nwires) : 0));
	ms_catalog_add_history(v->sub->subid, "verify", v->gtid, NULL, NULL,
						   psprintf("streaming paused for %.1f ms", pause));
}

/*
 * Have the views been held for as long as may be?  The source keeps old
 * versions of rows meanwhile, and structure changes of the tables that were
 * read wait, and with them whoever wants to use such a table.
 */
bool
ms_verify_views_are_old(const Verify *v)
{
	return v->options.snapshot_max_age > 0 &&
		TimestampDifferenceExceeds(v->views_since, ms_clock_now(),
								   v->options.snapshot_max_age);
}

/* Go on with both views at a newer position.  Nothing may be going on. */
void
ms_verify_renew_views(Verify *v)
{
	if (v->pool)
		ms_verify_pool_stop(v->pool);
	v->pool = NULL;
	UnregisterSnapshotFromOwner(v->snapshot, TopTransactionResourceOwner);
	for (int i = 0; i < v->nwires; i++)
		ms_wire_exec(v->wires[i], "ROLLBACK");
	v->nwires = v->nworkers;
	open_views(v);
	v->pool = ms_verify_pool_start(v);
}

/* ------------------------------------------------------------------------
 * Tables
 * ------------------------------------------------------------------------
 */

static TableCheck *
describe_table(Verify *v, MsSubTable *sub)
{
	TableCheck *check = palloc0(sizeof(TableCheck));
	List	   *tables;
	MsSourceIndex *index;

	if (sub->state != MS_TABLE_READY)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s.%s\" cannot be verified in state \"%s\"",
						sub->source_db, sub->source_table,
						ms_table_state_name(sub->state)),
				 errhint("Use mariadb_sync.wait_for_catchup() first.")));
	tables = ms_remote_schema_fetch(v->wires[0], v->sub->patterns, sub->source_db,
									sub->source_table);
	if (tables == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%s.%s\" does not exist on the source",
						sub->source_db, sub->source_table)));
	if (v->options.versioned_history)
		ms_source_keep_history(tables);
	check->estimate = ((MsSourceTable *) linitial(tables))->rows_estimate;
	index = ms_source_table_key(linitial(tables));
	check->key_names = index ? index->columns : NIL;
	check->table = ms_verify_describe(v->sub, &v->options, sub, check->key_names);
	return check;
}

static List *
describe_tables(Verify *v, const char *source)
{
	List	   *checks = NIL;
	ListCell   *lc;

	foreach(lc, ms_catalog_get_tables(v->sub->subid))
	{
		MsSubTable *sub = lfirst(lc);

		if (source &&
			strcmp(source, psprintf("%s.%s", sub->source_db, sub->source_table)) != 0)
			continue;
		checks = lappend(checks, describe_table(v, sub));
	}
	if (checks == NIL && source)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("subscription \"%s\" has no table \"%s\"", v->sub->name, source),
				 errhint("Name it as database.table, as mariadb_sync.pg_stat_mariadb_sync_tables does.")));
	return checks;
}

/* ------------------------------------------------------------------------
 * verify
 * ------------------------------------------------------------------------
 */

static void
set_guc(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/* Nothing of the user's is called, and ranges are read by their index. */
static void
set_session(void)
{
	ms_sql_set_path();
	set_guc("TimeZone", "UTC");
	set_guc("DateStyle", "ISO, YMD");
	set_guc("IntervalStyle", "postgres");
	set_guc("session_replication_role", "replica");
	set_guc("row_security", "off");
	set_guc("jit", "off");
	set_guc("enable_seqscan", "off");
}

static void
put_result(ReturnSetInfo *rsinfo, const Verify *v, const TableCheck *check)
{
	Datum		values[9];
	bool		nulls[9] = {false};

	values[0] = CStringGetTextDatum(check->table->name);
	values[1] = ObjectIdGetDatum(check->table->sub->relid);
	values[2] = Int64GetDatum(check->source_rows);
	values[3] = Int64GetDatum(check->target_rows);
	values[4] = Int64GetDatum(check->missing);
	values[5] = Int64GetDatum(check->surplus);
	values[6] = Int64GetDatum(check->different);
	values[7] = Int64GetDatum(check->repaired);
	values[8] = CStringGetTextDatum(check->gtid ? check->gtid : v->gtid);
	for (int i = 2; i < 8; i++)
		nulls[i] = check->altered;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
run(Verify *v, const char *source, bool wants_repair, ReturnSetInfo *rsinfo)
{
	MsWire	  **all;
	int			nall;
	List	   *checks;
	ListCell   *lc;

	ms_verify_connect(v);
	all = memcpy(palloc(sizeof(MsWire *) * v->nwires), v->wires,
				 sizeof(MsWire *) * v->nwires);
	nall = v->nwires;
	checks = describe_tables(v, source);
	open_views(v);
	v->pool = ms_verify_pool_start(v);
	foreach(lc, checks)
	{
		if (ms_verify_views_are_old(v))
			ms_verify_renew_views(v);
		ms_verify_compare(v, lfirst(lc));
	}
	if (v->pool)
	{
		foreach(lc, checks)
			ms_verify_pool_forget(v->pool, lfirst(lc));
		ms_verify_pool_stop(v->pool);
	}
	ms_shmem_verify_end();
	UnregisterSnapshotFromOwner(v->snapshot, TopTransactionResourceOwner);
	if (wants_repair)
		ms_verify_repair(v, checks);
	for (int i = 0; i < nall; i++)
		ms_wire_close(all[i]);
	foreach(lc, checks)
		put_result(rsinfo, v, lfirst(lc));
}

static void
check_argument(const char *name, int64 value, int64 max)
{
	if (value < 1 || value > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"%s\": " INT64_FORMAT, name, value),
				 errhint("Give a number from 1 to " INT64_FORMAT ".", max)));
}

static void
take_arguments(FunctionCallInfo fcinfo, Verify *v)
{
	v->sub = ms_catalog_find_subscription(NameStr(*PG_GETARG_NAME(0)), false);
	ms_options_parse(v->sub->options, &v->options);
	v->resume = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	v->nworkers = PG_ARGISNULL(4) ? v->options.snapshot_workers : PG_GETARG_INT32(4);
	check_argument("workers", v->nworkers, MS_MAX_SNAPSHOT_WORKERS);
	if (!PG_ARGISNULL(5))
	{
		v->max_rate = PG_GETARG_INT64(5);
		check_argument("max_rate", v->max_rate, PG_INT32_MAX);
	}
}

Datum
ms_verify(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Verify		v = {0};
	char	   *source = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	bool		wants_repair = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	MsRole		before;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	ms_check_preloaded();
	PreventCommandDuringRecovery("verify()");
	take_arguments(fcinfo, &v);
	if (!has_privs_of_role(GetUserId(), v.sub->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of subscription \"%s\"", v.sub->name)));
	if (wants_repair && (IsTransactionBlock() || IsolationUsesXactSnapshot()))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("verify() with repair cannot run inside a transaction block"),
				 errdetail("Streaming waits until the transaction that repairs has ended.")));

	ms_role_become(v.sub->owner, &before);
	set_session();
	PG_TRY();
	{
		run(&v, source, wants_repair, rsinfo);
	}
	PG_FINALLY();
	{
		ms_role_return(&before);
	}
	PG_END_TRY();
	return (Datum) 0;
}
