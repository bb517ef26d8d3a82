/*
 * worker.c - the apply worker's process.
 *
 * One per enabled subscription.  Owns the process: start-up, the connections,
 * the loop that hands events to apply.c, what happens when nothing is to be
 * read, and what becomes of an error.  The loop never sleeps by itself; all
 * waiting is in wire.c, which calls worker_idle() first.
 *
 * A change of the subscription reaches us as a relcache invalidation of its
 * table and is acted upon between source transactions: the group is committed
 * and the process ends, to be started anew by the launcher at once.
 *
 * Errors.  What is transient (connections, deadlocks, resources) is retried
 * with the launcher's back-off; everything else parks the subscription in
 * state error until start() is called, unless on_error says retry.
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "replication/origin.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "apply.h"
#include "clock.h"
#include "commands.h"
#include "compat.h"
#include "crash_guard.h"
#include "ddl_apply.h"
#include "fence.h"
#include "join.h"
#include "mariadb_sync.h"
#include "retention.h"
#include "shmem.h"
#include "snapshot.h"
#include "sql.h"
#include "subtransaction.h"
#include "wire.h"
#include "worker.h"

/* bytes that are not understood are asked for again so often, in a row */
#define MAX_DAMAGED_IN_A_ROW	4
/* a worker that has lived so long is not crashing at its start, in ms */
#define SAFE_AGE				60000
/* how often the source is asked for its position while we are behind, ms */
#define SOURCE_POLL_INTERVAL	1000
/* how often the time of the last receipt is shown while events pour in, ms */
#define RECEIPT_INTERVAL		20
/* the source may look for the start position in silence, in seconds */
#define FIRST_EVENT_TIMEOUT		600

/* The process' state. */
static struct
{
	MemoryContext cxt;
	Oid			dboid;
	int32		subid;
	MsSubscription *sub;
	MsSubscriptionOptions options;
	MsServerOptions server;
	MsWire	   *control;		/* for queries */
	MsWire	   *stream;
	uint32		source_id;		/* the source's server_id */
	List	   *sequences;		/* of MsSequence * */
	MsRelmap   *relmap;
	MsApply    *apply;
	uint64		counters[MS_NUM_COUNTERS];
	bool		counters_loaded;
	bool		idle;			/* shown as idle */
	bool		timeout_lowered;	/* the stream has begun to flow */
	TimestampTz last_poll;		/* these three: see clock.h */
	TimestampTz last_receipt;
	TimestampTz started;
	bool		crashed;		/* and is not to be retried */
	Oid			subscription_relid;
}			worker;

/* set by the relcache callback */
static bool subscription_changed = false;

/* set by the syscache callback */
static bool server_changed = false;

/* ------------------------------------------------------------------------
 * Shared by our background processes
 * ------------------------------------------------------------------------
 */

void
ms_worker_handle_sigterm(SIGNAL_ARGS)
{
	die(postgres_signal_arg);
	ms_wire_interrupt_connect();
}

static void
set_guc(const char *name, const char *value)
{
	SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

/*
 * A slow statement or an idle moment is no reason to be cancelled.  Before
 * the process connects: that takes a transaction of its own.
 */
void
ms_worker_disable_timeouts(void)
{
	set_guc("statement_timeout", "0");
	set_guc("lock_timeout", "0");
	set_guc("idle_in_transaction_session_timeout", "0");
	if (GetConfigOption("transaction_timeout", true, false) != NULL)
		set_guc("transaction_timeout", "0");
}

/* Before anything else. */
void
ms_worker_init_process(void)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, ms_worker_handle_sigterm);
	ms_worker_disable_timeouts();
	BackgroundWorkerUnblockSignals();
}

/*
 * Settings of a session that applies changes.  Names are always qualified, and
 * times are read and written in UTC.
 */
void
ms_worker_init_session(bool synchronous_commit)
{
	set_guc("search_path", MS_SEARCH_PATH);
	set_guc("session_replication_role", "replica");
	set_guc("synchronous_commit", synchronous_commit ? "on" : "off");
	set_guc("TimeZone", "UTC");
	set_guc("DateStyle", "ISO, YMD");
	set_guc("IntervalStyle", "postgres");
	set_guc("row_security", "off");
	set_guc("default_transaction_isolation", "read committed");
	set_guc("default_transaction_read_only", "off");
}

/*
 * The same for one that applies what is streamed.  Rows are looked for by key
 * only: a plan that was made while the table was small must not read all of
 * it when it has grown, and the price that the planner puts on that must not
 * invite the JIT compiler.
 */
void
ms_worker_init_apply_session(bool synchronous_commit)
{
	ms_worker_init_session(synchronous_commit);
	set_guc("enable_seqscan", "off");
	set_guc("jit", "off");
}

/*
 * Take a step in a subtransaction.  False, and the reason in *error, when it
 * fails; what may be possible in a minute is raised again.
 */
bool
ms_worker_try(MsWorkerStep step, void *arg, char **error)
{
	MsSubtransaction sub;
	ErrorData  *volatile edata = NULL;

	ms_subtransaction_begin(&sub);
	PG_TRY();
	{
		step(arg);
		ms_subtransaction_commit(&sub);
	}
	PG_CATCH();
	{
		edata = ms_subtransaction_abort(&sub);
	}
	PG_END_TRY();
	if (edata == NULL)
		return true;
	if (ms_worker_is_transient(edata->sqlerrcode))
		ReThrowError(edata);
	*error = ms_worker_error_text(edata);
	return false;
}

/* Message, detail and hint in lines. */
char *
ms_worker_error_text(const ErrorData *edata)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, edata->message ? edata->message : "unknown error");
	if (edata->detail)
		appendStringInfo(&buf, "\nDETAIL: %s", edata->detail);
	if (edata->hint)
		appendStringInfo(&buf, "\nHINT: %s", edata->hint);
	if (edata->context)
		appendStringInfo(&buf, "\nCONTEXT: %s", edata->context);
	return buf.data;
}

/* May the same thing work later without anybody's doing? */
bool
ms_worker_is_transient(int sqlerrcode)
{
	/* in the class of connections, but what was sent will be sent again */
	if (sqlerrcode == ERRCODE_PROTOCOL_VIOLATION)
		return false;
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case ERRCODE_CONNECTION_EXCEPTION:
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_INSUFFICIENT_RESOURCES:
			return true;
	}
	switch (sqlerrcode)
	{
		case ERRCODE_ADMIN_SHUTDOWN:
		case ERRCODE_CRASH_SHUTDOWN:
		case ERRCODE_CANNOT_CONNECT_NOW:
		case ERRCODE_QUERY_CANCELED:
		case ERRCODE_LOCK_NOT_AVAILABLE:
		case ERRCODE_CONFIGURATION_LIMIT_EXCEEDED:
			return true;
	}
	return false;
}

/*
 * Were bytes damaged on their way?  They are sent again, unless it was the
 * sender who made them so.
 */
static bool
is_damage(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_PROTOCOL_VIOLATION ||
		sqlerrcode == ERRCODE_DATA_CORRUPTED;
}

/* What all our background workers have in common. */
void
ms_worker_fill(BackgroundWorker *bgw, const char *function, const char *name,
			   Datum arg)
{
	memset(bgw, 0, sizeof(*bgw));
	bgw->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	bgw->bgw_start_time = BgWorkerStart_RecoveryFinished;
	bgw->bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(bgw->bgw_library_name, MS_LIBRARY, sizeof(bgw->bgw_library_name));
	strlcpy(bgw->bgw_function_name, function, BGW_MAXLEN);
	strlcpy(bgw->bgw_name, name, BGW_MAXLEN);
	strlcpy(bgw->bgw_type, name, BGW_MAXLEN);
	bgw->bgw_main_arg = arg;
	bgw->bgw_notify_pid = MyProcPid;
}

/* ------------------------------------------------------------------------
 * Start-up
 * ------------------------------------------------------------------------
 */

static void
invalidate_subscription(Datum arg pg_attribute_unused(), Oid relid)
{
	if (!OidIsValid(relid) || relid == worker.subscription_relid)
		subscription_changed = true;
}

static void
invalidate_server(Datum arg pg_attribute_unused(), int cacheid pg_attribute_unused(),
				  uint32 hashvalue pg_attribute_unused())
{
	server_changed = true;
}

pg_noreturn_compat static void
end_process(MsWorkerExit kind)
{
	ms_shmem_set_exit(kind);
	proc_exit(0);
}

/*
 * The subscription is gone, with its extension perhaps: nobody needs its
 * origin any more.
 */
pg_noreturn_compat static void
end_orphan(void)
{
	char	   *origin = psprintf(MS_ORIGIN_FORMAT, worker.dboid, worker.subid);

	replorigin_drop_by_name(origin, true, false);
	CommitTransactionCommand();
	ereport(LOG,
			(errmsg("replication origin \"%s\" has no subscription and was dropped",
					origin)));
	end_process(MS_EXIT_PARKED);
}

static bool
same_texts(List *a, List *b)
{
	ListCell   *la;
	ListCell   *lb;

	if (list_length(a) != list_length(b))
		return false;
	forboth(la, a, lb, b)
	{
		if (strcmp(lfirst(la), lfirst(lb)) != 0)
			return false;
	}
	return true;
}

/*
 * The list of tables is another one.  False when that needs a fresh start.
 */
static bool
take_over_tables(const MsSubscription *now)
{
	MemoryContext oldcxt;
	List	   *patterns = NIL;
	ListCell   *lc;

	if (!ms_snapshot_take_over_tables(ms_catalog_get_tables(worker.subid)))
		return false;
	oldcxt = MemoryContextSwitchTo(worker.cxt);
	foreach(lc, now->patterns)
		patterns = lappend(patterns, pstrdup(lfirst(lc)));
	worker.sub->patterns = patterns;
	worker.sub->tables_version = now->tables_version;
	/* some may have come or gone with the tables, or without any */
	worker.sequences = ms_catalog_get_sequences(worker.subid);
	ms_relmap_set_sequences(worker.relmap, worker.sequences);
	MemoryContextSwitchTo(oldcxt);
	if (!ms_snapshot_settled())
		ms_shmem_set_state(MS_SUB_SNAPSHOT);
	else if (ms_shmem_get_state() == MS_SUB_SNAPSHOT)
		ms_shmem_set_state(MS_SUB_CATCHUP);
	return true;
}

/* Tables have joined of themselves. */
static bool
take_over_joined_tables(void)
{
	bool		taken;

	StartTransactionCommand();
	taken = take_over_tables(worker.sub);
	CommitTransactionCommand();
	MemoryContextSwitchTo(worker.cxt);
	return taken;
}

/* Does the subscription still say what we started with? */
static bool
same_subscription(void)
{
	MsSubscription *now;
	bool		same;

	StartTransactionCommand();
	now = OidIsValid(ms_catalog_subscription_relid()) ?
		ms_catalog_get_subscription(worker.subid) : NULL;
	same = now != NULL && now->enabled &&
		now->owner == worker.sub->owner &&
		now->server_id == worker.sub->server_id &&
		strcmp(now->server, worker.sub->server) == 0 &&
		ms_catalog_same_jsonb(now->options, worker.sub->options);
	if (same && (now->tables_version != worker.sub->tables_version ||
				 !same_texts(now->patterns, worker.sub->patterns)))
		same = take_over_tables(now);
	if (same)
	{
		worker.sub->snapshot_paused = now->snapshot_paused;
		worker.sub->skip_gtid = now->skip_gtid ?
			MemoryContextStrdup(worker.cxt, now->skip_gtid) : NULL;
	}
	CommitTransactionCommand();
	MemoryContextSwitchTo(worker.cxt);
	return same;
}

/* The connection's options as they are now. */
static void
load_server(MsServerOptions *options)
{
	Oid			serverid = get_foreign_server_oid(worker.sub->server, true);

	if (!OidIsValid(serverid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" of subscription \"%s\" does not exist",
						worker.sub->server, worker.sub->name),
				 errhint("Make it again with CREATE SERVER and CREATE USER MAPPING, or drop the subscription.")));
	ms_load_server(worker.sub->server, worker.sub->owner, options);
}

/* Does the server still say what we have connected with? */
static bool
same_server(void)
{
	MsServerOptions now;
	bool		same;

	StartTransactionCommand();
	load_server(&now);
	same = ms_server_options_equal(&now, &worker.server);
	CommitTransactionCommand();
	MemoryContextSwitchTo(worker.cxt);
	return same;
}

/* Read all there is in the catalog about us; the tables into tables_cxt. */
static void
load_subscription(MsPosition *position, List **tables,
				  MemoryContext tables_cxt)
{
	StartTransactionCommand();
	MemoryContextSwitchTo(worker.cxt);
	worker.subscription_relid = ms_catalog_subscription_relid();
	if (!OidIsValid(worker.subscription_relid))
		end_orphan();
	ms_catalog_lock_subscription(worker.subid, AccessShareLock);
	worker.sub = ms_catalog_get_subscription(worker.subid);
	if (worker.sub == NULL)
		end_orphan();
	if (!worker.sub->enabled)
	{
		CommitTransactionCommand();
		end_process(MS_EXIT_PARKED);
	}
	ms_options_parse(worker.sub->options, &worker.options);
	load_server(&worker.server);
	if (!ms_catalog_get_position(worker.subid, position))
		position->gtid = NULL;
	MemoryContextSwitchTo(tables_cxt);
	*tables = ms_catalog_get_tables(worker.subid);
	MemoryContextSwitchTo(worker.cxt);
	worker.sequences = ms_catalog_get_sequences(worker.subid);
	ms_catalog_load_counters(worker.subid, worker.counters);
	CommitTransactionCommand();
	MemoryContextSwitchTo(worker.cxt);
	ms_shmem_load_counters(worker.counters);
	worker.counters_loaded = true;
}

/*
 * Our replication origin.  A dump does not bring it, nor does pg_upgrade: a
 * subscription that is started there gets a new one.
 */
static void
setup_origin(void)
{
	char	   *name = psprintf(MS_ORIGIN_FORMAT, worker.dboid, worker.subid);
	RepOriginId origin;

	StartTransactionCommand();
	origin = replorigin_by_name(name, true);
	if (origin == InvalidRepOriginId)
		origin = replorigin_create(name);
	CommitTransactionCommand();

	StartTransactionCommand();
	replorigin_session_setup_compat(origin);
	replorigin_session_origin = origin;
	CommitTransactionCommand();
	MemoryContextSwitchTo(worker.cxt);
}

/* ------------------------------------------------------------------------
 * The source
 * ------------------------------------------------------------------------
 */

/*
 * What must hold on the source at every connection, since settings change.
 * Returns its server id.
 */
static uint32
check_source(void)
{
	MsResult   *res;
	uint32		server_id;

	res = ms_wire_query(worker.control,
						"SELECT @@global.server_id, @@global.log_bin, @@global.binlog_format, @@global.lower_case_table_names");
	server_id = strtoul(ms_result_cell(res, 0, 0), NULL, 10);
	if (server_id == worker.sub->server_id)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("subscription \"%s\" has the same server_id as its source: %u",
						worker.sub->name, server_id),
				 errhint("Set option \"server_id\" of the server to another number and create the subscription again.")));
	if (strcmp(ms_result_cell(res, 0, 1), "1") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("binary logging is off on the source"),
				 errhint("Start MariaDB with log_bin.")));
	if (strcmp(ms_result_cell(res, 0, 2), "ROW") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("binlog_format of the source is %s", ms_result_cell(res, 0, 2)),
				 errhint("Run SET GLOBAL binlog_format = 'ROW' on the source, and set it in its configuration.")));
	ms_token_fold_table_names(strcmp(ms_result_cell(res, 0, 3), "1") == 0);
	return server_id;
}

/*
 * Ask the source where it is, and what time it is there: lag compares our
 * clock with the source's, and either may have been set.
 */
static void
poll_source(void)
{
	char	   *answer = ms_wire_query_value(worker.control,
											 "SELECT CONCAT(CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED),"
											 " ' ', @@global.gtid_binlog_pos)");
	char	   *gtid;
	int64		source_time = strtoi64(answer, &gtid, 10) -
	(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;

	worker.last_poll = ms_clock_now();
	ms_apply_set_clock_offset(worker.apply, GetCurrentTimestamp() - source_time);
	ms_shmem_report(NULL, NULL, gtid + 1, NULL, 0, 0, worker.counters, false);
	pfree(answer);
}

static void
connect_source(const MsPosition *position)
{
	MsStreamStart start = {0};
	char		host[64];

	worker.control = ms_wire_connect(&worker.server);
	ms_apply_set_control(worker.apply, worker.control);
	worker.source_id = check_source();
	ms_snapshot_init(worker.sub, &worker.options, worker.relmap,
					 worker.control, worker.source_id, worker.counters);
	poll_source();
	ms_retention_check(worker.control, worker.sub,
					   position->binlog_file ? position->binlog_file : "");

	if (gethostname(host, sizeof(host)) != 0)
		strlcpy(host, "mariadb_sync", sizeof(host));
	host[sizeof(host) - 1] = '\0';
	start.gtid_position = position->gtid;
	start.server_id = worker.sub->server_id;
	start.report_host = host;
	start.heartbeat_period = worker.server.heartbeat_period;
	worker.stream = ms_wire_connect(&worker.server);
	if (strtoul(ms_wire_query_value(worker.stream, "SELECT @@global.server_id"),
				NULL, 10) != worker.source_id)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("two connections to MariaDB server \"%s\" reached two servers",
						worker.sub->server),
				 errhint("The address of the server must lead to one MariaDB server at a time.")));
	ms_wire_set_read_timeout(worker.stream, FIRST_EVENT_TIMEOUT);
	ms_wire_start_stream(worker.stream, &start);
	ereport(LOG,
			(errmsg("subscription \"%s\" streams from MariaDB server \"%s\" at GTID position \"%s\"",
					worker.sub->name, worker.sub->server,
					position->gtid)));
}

/* ------------------------------------------------------------------------
 * The loop
 * ------------------------------------------------------------------------
 */

/* What is done between source transactions. */
static void
between_transactions(void)
{
	TimestampTz now;

	ms_fence_check(worker.dboid, worker.subid, worker.apply, worker.source_id);
	AcceptInvalidationMessages();
	if (ms_shmem_take_changed() || subscription_changed)
	{
		subscription_changed = false;
		ms_apply_commit(worker.apply);
		if (!same_subscription())
			end_process(MS_EXIT_RESTART);
	}
	if (server_changed)
	{
		server_changed = false;
		ms_apply_commit(worker.apply);
		if (!same_server())
			end_process(MS_EXIT_RESTART);
	}
	if (ms_apply_rescan_wanted(worker.apply))
	{
		ms_apply_commit(worker.apply);
		if (ms_join_new_tables(worker.sub, &worker.options, worker.control) &&
			!take_over_joined_tables())
			end_process(MS_EXIT_RESTART);
	}
	if (!ms_snapshot_settled())
	{
		ms_ddl_reshape(worker.apply);
		ms_snapshot_lead(worker.apply);
		if (ms_snapshot_settled() && ms_shmem_get_state() == MS_SUB_SNAPSHOT)
			ms_shmem_set_state(MS_SUB_CATCHUP);
	}

	now = ms_clock_now();
	if (TimestampDifferenceExceeds(worker.last_receipt, now, RECEIPT_INTERVAL))
	{
		worker.last_receipt = now;
		ms_shmem_report_receipt(GetCurrentTimestamp(),
								ms_apply_source_time(worker.apply));
	}
	if (TimestampDifferenceExceeds(worker.last_poll, now, SOURCE_POLL_INTERVAL))
		poll_source();
	ms_retention_check(worker.control, worker.sub,
					   ms_apply_position(worker.apply)->file);
	if (TimestampDifferenceExceeds(worker.started, now, SAFE_AGE))
		ms_crash_guard_progress();
}

/*
 * The stream has nothing more to read.  What is complete is committed now:
 * this is what makes the lag of an idle system short.
 */
static long
worker_idle(void *arg pg_attribute_unused())
{
	bool		worked;

	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	ms_apply_check(worker.apply);
	if (!ms_apply_at_boundary(worker.apply))
		return -1;

	/* whatever waits in here may swallow a wake-up meant for what follows */
	worked = ms_apply_has_open_group(worker.apply) || !ms_snapshot_settled();
	if (!ms_apply_rest(worker.apply))
		return -1;
	worker.last_poll = ms_clock_now();
	between_transactions();
	ms_snapshot_look_ahead(worker.control, ms_apply_position(worker.apply));
	worked |= ms_ddl_release_held(worker.apply);
	if (ms_snapshot_settled())
		ms_shmem_set_state(MS_SUB_STREAMING);
	if (!worker.idle)
	{
		worker.idle = true;
		ms_apply_report_idle(worker.apply, true);
	}
	if (worked && ms_snapshot_settled())
		return 0;
	return ms_apply_flush_stats(worker.apply);
}

pg_noreturn_compat static void
main_loop(void)
{
	ms_wire_set_idle(worker.stream, worker_idle, NULL);
	for (;;)
	{
		const uint8 *data;
		size_t		len;

		if (ms_wire_receive(worker.stream, &data, &len) == MS_RECEIVE_END)
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("the source ended the binlog stream")));
		if (!worker.timeout_lowered && len > 4 &&
			(data[4] == MS_EVENT_GTID || data[4] == MS_EVENT_HEARTBEAT))
		{
			worker.timeout_lowered = true;
			ms_wire_set_read_timeout(worker.stream, worker.server.read_timeout);
		}
		worker.idle = false;
		ms_apply_event(worker.apply, data, len);
		CHECK_FOR_INTERRUPTS();
		if (ms_apply_at_boundary(worker.apply))
			between_transactions();
	}
}

/* One of our processes has crashed so often in a row that it will again. */
pg_noreturn_compat static void
too_many_crashes(int crashes)
{
	worker.crashed = true;
	ereport(ERROR,
			(errcode(ERRCODE_INTERNAL_ERROR),
			 errmsg("a worker of subscription \"%s\" has crashed the server %d times in a row",
					worker.sub->name, crashes),
			 errdetail("It is not started again, to spare the other sessions. The limit is mariadb_sync.crash_limit."),
			 errhint("See the server log for \"was terminated by signal\": signal 9 comes from an administrator or from a system out of memory; report others to the authors of mariadb_sync. Then run mariadb_sync.start(), or skip_transaction() before it.")));
}

static void
run_worker(void)
{
	MsPosition	position;
	List	   *tables;
	MemoryContext tables_cxt = AllocSetContextCreate(worker.cxt,
													 "mariadb_sync tables",
													 ALLOCSET_DEFAULT_SIZES);
	ListCell   *lc;
	int			crashes = ms_crash_guard_crashes(worker.dboid, worker.subid);
	bool		give_up = ms_crash_limit > 0 && crashes >= ms_crash_limit;

	if (!give_up)
		ms_crash_guard_enter(worker.dboid, worker.subid,
							 MS_GUARD_APPLY_WORKER);
	ms_shmem_parallel_wait_gone();
	load_subscription(&position, &tables, tables_cxt);
	if (give_up)
		too_many_crashes(crashes);
	ms_worker_init_apply_session(worker.options.synchronous_commit);
	CacheRegisterRelcacheCallback(invalidate_subscription, (Datum) 0);
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, invalidate_server, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, invalidate_server, (Datum) 0);
	setup_origin();
	if (position.gtid == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("subscription \"%s\" has no position", worker.sub->name),
				 errhint("Drop the subscription and create it again.")));

	worker.relmap = ms_relmap_create(worker.sub, &worker.options,
									 worker.sub->owner);
	foreach(lc, tables)
		ms_relmap_add(worker.relmap, lfirst(lc));
	MemoryContextDelete(tables_cxt);
	ms_relmap_set_sequences(worker.relmap, worker.sequences);
	worker.apply = ms_apply_create(worker.sub, &worker.options, worker.relmap,
								   position.gtid, worker.counters);
	connect_source(&position);
	ms_shmem_set_state(ms_snapshot_settled() ? MS_SUB_CATCHUP : MS_SUB_SNAPSHOT);
	ms_apply_report_idle(worker.apply, false);
	main_loop();
}

/* ------------------------------------------------------------------------
 * Errors
 * ------------------------------------------------------------------------
 */

/* Keep the error in the catalog. */
static void
save_error(const char *text, const char *gtid)
{
	StartTransactionCommand();
	if (worker.counters_loaded)
		ms_catalog_save_counters(worker.subid, worker.counters);
	ms_catalog_save_error(worker.subid, text, gtid);
	ms_catalog_add_history(worker.subid, "error", gtid, NULL, NULL, text);
	CommitTransactionCommand();
}

/* Take a table out of the stream after an error. */
static void
disable_table(const MsSubTable *table, const char *gtid, const char *error)
{
	char	   *name = psprintf("%s.%s", table->source_db, table->source_table);

	StartTransactionCommand();
	ms_catalog_set_table_state(table, MS_TABLE_DISABLED);
	ms_catalog_set_table_error(table->subid, table->source_db,
							   table->source_table, error);
	ms_catalog_add_history(table->subid, "disable_table", gtid, name, NULL,
						   error);
	CommitTransactionCommand();
	MemoryContextSwitchTo(worker.cxt);
	ereport(WARNING,
			(errmsg("subscription \"%s\" has disabled source table \"%s\" after an error",
					worker.sub->name, name),
			 errdetail_internal("%s", error),
			 errhint("When the cause is gone, use mariadb_sync.resync_table(%s, %s).",
					 quote_literal_cstr(worker.sub->name),
					 quote_literal_cstr(name))));
}

/*
 * What option "on_error" makes of an error that will not pass by itself.
 * True when the worker is to start over at once.  table is what it was about,
 * or NULL.
 */
static bool
contain_error(const MsSubTable *table, bool careful, const char *gtid,
			  const char *text)
{
	/* what no later attempt can apply is one table's matter alone */
	bool		hopeless = ms_apply_image_was_incomplete() ||
	ms_snapshot_lost_table() ||
	(worker.options.ddl == MS_DDL_APPLY && ms_relmap_structure_differed());

	if ((worker.options.on_error == MS_ON_ERROR_DISABLE_TABLE || hopeless) &&
		table && table->state != MS_TABLE_DISABLED)
	{
		worker.counters[MS_CNT_APPLY_ERRORS]++;
		ms_shmem_report_error(text, gtid);
		disable_table(table, gtid[0] ? gtid : NULL, text);
		return true;
	}
	if ((worker.options.on_error == MS_ON_ERROR_QUARANTINE_ROW ||
		 worker.options.on_error == MS_ON_ERROR_DISABLE_TABLE) &&
		gtid[0] && !careful)
	{
		ereport(LOG,
				(errmsg("subscription \"%s\" applies transaction %s row by row after an error",
						worker.sub->name, gtid)));
		ms_shmem_set_careful(gtid);
		return true;
	}
	return false;
}

/* The error's text for the views, and what to do about it. */
static char *
describe_error(const ErrorData *edata, bool retries, const char *gtid)
{
	char	   *text = ms_worker_error_text(edata);
	const char *name = worker.sub ?
	quote_literal_cstr(worker.sub->name) : "...";
	const char *cause = edata->sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED ?
	"the cause (an index that does not take the row: DROP INDEX)" : "the cause";

	if (retries)
		return psprintf("%s\nNEXT: It is tried again by itself.", text);
	if (gtid[0] == '\0')
		return psprintf("%s\nNEXT: Remove %s, then run mariadb_sync.start(%s).",
						text, cause, name);
	return psprintf("%s\nNEXT: Remove %s, then run mariadb_sync.start(%s); or pass over the transaction with mariadb_sync.skip_transaction(%s, '%s').",
					text, cause, name, name, gtid);
}

/*
 * The worker has failed; decide whether and when it starts again.
 */
pg_noreturn_compat static void
end_with_error(ErrorData *edata)
{
	char		gtid[MS_GTID_TEXT_LEN] = "";
	bool		transient = ms_worker_is_transient(edata->sqlerrcode) ||
	(is_damage(edata->sqlerrcode) &&
	 ms_shmem_failures() < MAX_DAMAGED_IN_A_ROW);
	bool		predecessors = false;
	bool		careful = false;
	bool		retries;
	const MsSubTable *table = NULL;
	char	   *text;

	if (edata->sqlerrcode == ERRCODE_PROTOCOL_VIOLATION && !transient &&
		edata->hint == NULL)
		edata->hint = pstrdup("The same came several times. Read the source's binary log at this place with mariadb-binlog: "
							  "if that fails too, the log is damaged; if it does not, the network changes what it carries, or this is worth a report, with the event.");
	if (worker.apply)
	{
		predecessors = ms_apply_group_has_predecessors(worker.apply);
		careful = ms_apply_is_careful(worker.apply);
		table = ms_snapshot_failed_table();
		if (table == NULL)
			table = ms_apply_failed_table(worker.apply);
		if (ms_apply_current_gtid(worker.apply))
			strlcpy(gtid, ms_apply_current_gtid(worker.apply), sizeof(gtid));
	}
	/* undo before anything else is written */
	AbortOutOfAnyTransaction();
	replorigin_session_origin = InvalidRepOriginId;
	MemoryContextSwitchTo(worker.cxt);

	if (!transient && predecessors && gtid[0])
	{
		ereport(LOG,
				(errmsg("subscription \"%s\" applies transactions one by one up to GTID %s after an error: %s",
						worker.sub->name, gtid, edata->message)));
		ms_shmem_set_single(gtid);
		end_process(MS_EXIT_RESTART);
	}

	if (!transient && worker.sub &&
		contain_error(table, careful, gtid, ms_worker_error_text(edata)))
		end_process(MS_EXIT_RESTART);

	retries = transient ||
		(worker.sub && worker.options.on_error == MS_ON_ERROR_RETRY &&
		 !worker.crashed);
	text = describe_error(edata, retries, gtid);
	if (ERRCODE_TO_CATEGORY(edata->sqlerrcode) == ERRCODE_CONNECTION_EXCEPTION)
		worker.counters[MS_CNT_RECONNECTS]++;
	else
		worker.counters[MS_CNT_APPLY_ERRORS]++;
	if (worker.counters_loaded)
		ms_shmem_report(NULL, NULL, NULL, NULL, 0, 0, worker.counters, false);
	ms_shmem_report_error(text, gtid);
	if (worker.sub)
		save_error(text, gtid[0] ? gtid : NULL);

	if (retries)
	{
		ms_shmem_set_state(MS_SUB_RETRYING);
		end_process(MS_EXIT_FAILED);
	}
	ms_shmem_set_state(MS_SUB_ERROR);
	end_process(MS_EXIT_PARKED);
}

/*
 * Entry point.  arg is the slot.
 */
void
ms_apply_worker_main(Datum arg)
{
	ms_worker_init_process();
	if (!ms_shmem_attach_worker(DatumGetInt32(arg), &worker.dboid, &worker.subid))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(worker.dboid, InvalidOid, 0);

	worker.cxt = AllocSetContextCreate(TopMemoryContext, "mariadb_sync worker",
									   ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(worker.cxt);
	worker.started = ms_clock_now();
	PG_TRY();
	{
		run_worker();
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(worker.cxt);
		edata = CopyErrorData();
		EmitErrorReport();
		FlushErrorState();
		end_with_error(edata);
	}
	PG_END_TRY();
}
