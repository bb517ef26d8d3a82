/*
 * verify.c - the proof that both sides are equal, while changes keep flowing.
 *
 * verify() runs in the user's session.  It opens read views on the source, all
 * at one position, lets the apply worker come to exactly that position and
 * stand still there (fence.c) just long enough to take a snapshot here, and
 * then compares both at leisure: part by part by a sum of hashes that does not
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
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "commands.h"
#include "fence.h"
#include "mariadb_sync.h"
#include "remote_schema.h"
#include "snapshot.h"
#include "verify_run.h"

PG_FUNCTION_INFO_V1(ms_verify);

/* how long the source's read view may need to show what we have applied */
#define VIEW_TIMEOUT_MS	10000
/* after which fewer views will do than were asked for */
#define ALL_VIEWS_MS	500
/* seconds that one query on the source may take */
#define QUERY_TIMEOUT	86400

/* ------------------------------------------------------------------------
 * The two views
 * ------------------------------------------------------------------------
 */

/* Where in the binlog a read view is: "file:offset". */
static char *
view_position(MsWire *wire)
{
	uint64		pos = 0;
	char	   *file = ms_snapshot_view_position(wire, &pos);

	if (file == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the source gives no binlog position for a consistent snapshot"),
				 errhint("Binary logging must be on at the source (log_bin), with its binary logs in files.")));
	return psprintf("%s, " UINT64_FORMAT, ms_wire_quote_literal(file), pos);
}

/*
 * Open a read view on each of the first n connections.  Returns how many of
 * them are where the first one is; these come first then.
 */
static int
open_source_views(Verify *v, int n)
{
	static const char sql[] = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
	char	   *position;
	int			same = 1;

	for (int i = 0; i < n; i++)
		ms_wire_query_begin(v->wires[i], sql);
	for (int i = 0; i < n; i++)
		(void) ms_wire_query_end(v->wires[i], sql);
	position = view_position(v->wires[0]);
	for (int i = 1; i < n; i++)
	{
		MsWire	   *wire = v->wires[i];

		if (strcmp(view_position(wire), position) != 0)
			continue;
		v->wires[i] = v->wires[same];
		v->wires[same++] = wire;
	}
	v->gtid = ms_wire_query_value(v->wires[0],
								  psprintf("SELECT BINLOG_GTID_POS(%s)", position));
	return same;
}

/* Where the worker stands still. */
static void
held_position(const Verify *v, MsGtidList *position)
{
	MsSlotView	view;

	ms_gtid_init(position);
	if (ms_shmem_find(MyDatabaseId, v->sub->subid, &view))
		ms_gtid_parse_list_or_error(view.applied_gtid, position);
}

/*
 * Bring the worker to a read view of the source, on one connection or on all.
 * It stands there until the fence is released.
 */
void
ms_verify_align_views(Verify *v, bool all)
{
	TimestampTz start = GetCurrentTimestamp();
	int			n = all ? v->nwires : 1;

	ms_fence_stop(v->sub->subid, v->sub->name);
	for (;;)
	{
		MsGtidList	held;
		MsGtidList	view;
		int			same = open_source_views(v, n);
		TimestampTz now = GetCurrentTimestamp();

		ms_gtid_init(&view);
		if (v->gtid)
			ms_gtid_parse_list_or_error(v->gtid, &view);
		held_position(v, &held);
		/* a transaction is in the binlog before a read view shows it */
		if (v->gtid && ms_gtid_reached(&view, &held) &&
			(same == n || TimestampDifferenceExceeds(start, now, ALL_VIEWS_MS)) &&
			ms_fence_go_to(v->sub->subid, v->sub->name, v->gtid))
		{
			if (all)
				v->nwires = same;
			return;
		}
		for (int i = 0; i < n; i++)
			ms_wire_exec(v->wires[i], "ROLLBACK");
		if (TimestampDifferenceExceeds(start, now, VIEW_TIMEOUT_MS))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("the source's read view does not reach what subscription \"%s\" has applied",
							v->sub->name),
					 errhint("Try again.")));
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 1, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Take both views, at one position. */
static void
open_views(Verify *v)
{
	int			wanted = v->nwires;
	double		pause;

	ms_verify_align_views(v, true);
	v->snapshot = RegisterSnapshot(GetLatestSnapshot());
	pause = ms_fence_release();
	ereport(LOG,
			(errmsg("subscription \"%s\" is verified at GTID position \"%s\"; streaming paused for %.1f ms",
					v->sub->name, v->gtid, pause),
			 v->nwires < wanted ?
			 errdetail("Of %d read views %d were at this position.", wanted, v->nwires) : 0));
	ms_catalog_add_history(v->sub->subid, "verify", v->gtid, NULL, NULL,
						   psprintf("streaming paused for %.1f ms", pause));
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
	set_guc("search_path", "pg_catalog");
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
	values[8] = CStringGetTextDatum(v->gtid);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
connect(Verify *v)
{
	ms_load_server(v->sub->server, v->sub->owner, &v->server);
	v->nwires = v->nworkers;
	v->wires = palloc(sizeof(MsWire *) * v->nwires);
	for (int i = 0; i < v->nwires; i++)
	{
		v->wires[i] = ms_wire_connect(&v->server);
		ms_wire_exec(v->wires[i], "SET NAMES utf8mb4");
		ms_wire_exec(v->wires[i], "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
		/* a query that adds up a large table is silent until it is done */
		ms_wire_set_read_timeout(v->wires[i], QUERY_TIMEOUT);
	}
}

static void
run(Verify *v, const char *source, bool wants_repair, ReturnSetInfo *rsinfo)
{
	MsWire	  **all;
	int			nall;
	List	   *checks;
	ListCell   *lc;

	connect(v);
	all = memcpy(palloc(sizeof(MsWire *) * v->nwires), v->wires,
				 sizeof(MsWire *) * v->nwires);
	nall = v->nwires;
	checks = describe_tables(v, source);
	open_views(v);
	v->pool = ms_verify_pool_start(v);
	foreach(lc, checks)
		ms_verify_compare(v, lfirst(lc));
	if (v->pool)
	{
		foreach(lc, checks)
			ms_verify_pool_forget(v->pool, lfirst(lc));
		ms_verify_pool_stop(v->pool);
	}
	ms_shmem_verify_end();
	UnregisterSnapshot(v->snapshot);
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
	Oid			save_userid;
	int			save_sec_context;
	int			save_nestlevel;

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

	GetUserIdAndSecContext(&save_userid, &save_sec_context);
	SetUserIdAndSecContext(v.sub->owner,
						   save_sec_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	save_nestlevel = NewGUCNestLevel();
	set_session();
	PG_TRY();
	{
		run(&v, source, wants_repair, rsinfo);
	}
	PG_FINALLY();
	{
		AtEOXact_GUC(false, save_nestlevel);
		SetUserIdAndSecContext(save_userid, save_sec_context);
	}
	PG_END_TRY();
	return (Datum) 0;
}
