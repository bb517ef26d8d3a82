/*
 * wait.c - functions that wait for a subscription, and its health.
 *
 * Where a worker runs, waiting sleeps on the slot's condition variable and
 * looks at the slot first, at the catalog only when the slot says that it is
 * worth it.  On a physical standby there is no worker: the position that
 * recovery has brought is polled.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "replication/walreceiver.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "clock.h"
#include "commands.h"
#include "gtid.h"
#include "wire.h"

PG_FUNCTION_INFO_V1(ms_wait_for_catchup);
PG_FUNCTION_INFO_V1(ms_wait_for_gtid);
PG_FUNCTION_INFO_V1(ms_health);

/* how often a standby's catalog is looked at */
#define STANDBY_POLL_MS 10

/* the longest sleep without a look at what nobody announces */
#define MAX_SLEEP_MS	1000

typedef struct Waiter
{
	int32		subid;
	const char *name;
	TimestampTz deadline;		/* see clock.h; DT_NOEND = none */
	MsGtidList	target;
	uint64		ticket;			/* of ms_shmem_wait_progress() */
} Waiter;

static TimestampTz
deadline_of(Interval *timeout)
{
	TimestampTz now = GetCurrentTimestamp();
	Datum		deadline;

	if (timeout == NULL)
		return DT_NOEND;
	deadline = DirectFunctionCall2(timestamptz_pl_interval,
								   TimestampTzGetDatum(now),
								   IntervalPGetDatum(timeout));
	if (DatumGetTimestampTz(deadline) < now)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("timeout must not be negative")));
	return ms_clock_now() + (DatumGetTimestampTz(deadline) - now);
}

static long
milliseconds_left(const Waiter *waiter, long most)
{
	if (waiter->deadline == DT_NOEND)
		return most;
	return Min(most, TimestampDifferenceMilliseconds(ms_clock_now(),
													 waiter->deadline));
}

/* ------------------------------------------------------------------------
 * What is being waited for
 * ------------------------------------------------------------------------
 */

static bool
text_reaches(const char *position, const MsGtidList *target)
{
	MsGtidList	list;

	ms_gtid_init(&list);
	return ms_gtid_parse_list(position, &list) &&
		ms_gtid_reached(&list, target);
}

static bool
catalog_reaches(int32 subid, const MsGtidList *target)
{
	MsPosition	position;

	return ms_catalog_get_position(subid, &position) && position.gtid &&
		text_reaches(position.gtid, target);
}

/* An error when the subscription is not going to get any further. */
static void
check_still_running(const Waiter *waiter, bool found, const MsSlotView *view)
{
	MsSubscription *sub;

	if (found && view->state == MS_SUB_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("subscription \"%s\" has failed", waiter->name),
				 view->last_error[0] ?
				 errdetail("%s", view->last_error) : 0,
				 errhint("Remove the cause and use mariadb_sync.start().")));
	if (found && view->state != MS_SUB_STOPPED)
		return;

	sub = ms_catalog_get_subscription(waiter->subid);
	if (sub == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("subscription \"%s\" was dropped", waiter->name)));
	if (!sub->enabled)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("subscription \"%s\" is stopped", waiter->name),
				 errhint("Use mariadb_sync.start().")));
	if (ms_start_is_pending(waiter->subid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("subscription \"%s\" starts when this transaction commits",
						waiter->name),
				 errhint("Wait for it in a transaction of its own.")));
}

static bool
position_reached(const Waiter *waiter, bool found, const MsSlotView *view)
{
	if (found && view->applied_gtid[0] != '\0')
		return text_reaches(view->applied_gtid, &waiter->target);
	return catalog_reaches(waiter->subid, &waiter->target);
}

/* Whether every table follows the stream; an error if one never will. */
static bool
tables_ready(const Waiter *waiter)
{
	MsTableSummary summary;

	ms_catalog_summarize_tables(waiter->subid, &summary);
	if (summary.disabled > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg_plural("%d table of subscription \"%s\" is disabled",
							   "%d tables of subscription \"%s\" are disabled",
							   summary.disabled, summary.disabled, waiter->name),
				 errhint("The view mariadb_sync.pg_stat_mariadb_sync_tables tells which and why.")));
	return summary.ready == summary.tables;
}

/* ------------------------------------------------------------------------
 * Waiting
 * ------------------------------------------------------------------------
 */

static bool
sleep_for_progress(Waiter *waiter)
{
	long		timeout = milliseconds_left(waiter, MAX_SLEEP_MS);

	CHECK_FOR_INTERRUPTS();
	if (timeout <= 0)
		return false;
	ms_shmem_wait_progress(MyDatabaseId, waiter->subid, &waiter->ticket,
						   timeout);
	return true;
}

/* True when the position is reached, false on timeout. */
static bool
wait_for_position(Waiter *waiter)
{
	MsSlotView	view;
	bool		found;
	bool		reached;

	do
	{
		found = ms_shmem_find(MyDatabaseId, waiter->subid, &view);
		reached = position_reached(waiter, found, &view);
		if (!reached)
			check_still_running(waiter, found, &view);
	} while (!reached && sleep_for_progress(waiter));
	ms_shmem_wait_progress_end();
	return reached;
}

static bool
wait_for_tables(Waiter *waiter)
{
	MsSlotView	view;
	bool		found;
	bool		ready;

	do
	{
		found = ms_shmem_find(MyDatabaseId, waiter->subid, &view);
		ready = tables_ready(waiter);
		if (!ready)
			check_still_running(waiter, found, &view);
	} while (!ready && sleep_for_progress(waiter));
	ms_shmem_wait_progress_end();
	return ready;
}

static bool
wait_on_standby(Waiter *waiter)
{
	bool		warned = hot_standby_feedback;

	while (!catalog_reaches(waiter->subid, &waiter->target))
	{
		long		timeout = milliseconds_left(waiter, STANDBY_POLL_MS);

		if (timeout <= 0)
			return false;
		if (!warned)
			ereport(WARNING,
					(errmsg("hot_standby_feedback is off"),
					 errdetail("The primary may remove old versions of the position that this query still sees; then replay waits for the query, which waits for replay, until max_standby_streaming_delay ends it."),
					 errhint("Set hot_standby_feedback = on on this standby.")));
		warned = true;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 timeout, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return true;
}

/* Where the source is now. */
static char *
source_position(const MsSubscription *sub)
{
	MsServerOptions server;
	MsWire	   *wire;
	char	   *position;

	ms_load_server(sub->server, sub->owner, &server);
	wire = ms_wire_connect(&server);
	position = ms_wire_query_value(wire, "SELECT @@global.gtid_binlog_pos");
	ms_wire_close(wire);
	return position ? position : "";
}

static void
report_timeout(const Waiter *waiter, const char *position)
{
	MsSlotView	view;
	bool		found = ms_shmem_find(MyDatabaseId, waiter->subid, &view);

	ereport(ERROR,
			(errcode(ERRCODE_QUERY_CANCELED),
			 errmsg("timed out waiting for subscription \"%s\" to catch up",
					waiter->name),
			 errdetail("It is in state \"%s\" at GTID position \"%s\", the source was at \"%s\".%s%s",
					   ms_sub_state_name(found ? view.state : MS_SUB_STOPPED),
					   found ? view.applied_gtid : "", position,
					   found && view.last_error[0] ? " Last error: " : "",
					   found ? view.last_error : "")));
}

Datum
ms_wait_for_catchup(PG_FUNCTION_ARGS)
{
	Waiter		waiter = {0};
	MsSubscription *sub;
	MsSlotView	view;
	bool		found;
	char	   *position;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	ms_check_preloaded();
	waiter.name = NameStr(*PG_GETARG_NAME(0));
	waiter.deadline = deadline_of(PG_ARGISNULL(1) ? NULL :
								  PG_GETARG_INTERVAL_P(1));
	sub = ms_find_visible_subscription(waiter.name);
	waiter.subid = sub->subid;

	/* there may be no need to ask the source */
	found = ms_shmem_find(MyDatabaseId, waiter.subid, &view);
	check_still_running(&waiter, found, &view);

	position = source_position(sub);
	ms_gtid_init(&waiter.target);
	ms_gtid_parse_list_or_error(position, &waiter.target);
	if (!wait_for_position(&waiter) || !wait_for_tables(&waiter))
		report_timeout(&waiter, position);
	PG_RETURN_TEXT_P(cstring_to_text(position));
}

Datum
ms_wait_for_gtid(PG_FUNCTION_ARGS)
{
	Waiter		waiter = {0};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	ms_check_preloaded();
	waiter.name = NameStr(*PG_GETARG_NAME(0));
	waiter.deadline = deadline_of(PG_ARGISNULL(2) ? NULL :
								  PG_GETARG_INTERVAL_P(2));
	waiter.subid = ms_find_visible_subscription(waiter.name)->subid;
	ms_gtid_init(&waiter.target);
	ms_gtid_parse_list_or_error(text_to_cstring(PG_GETARG_TEXT_PP(1)),
								&waiter.target);
	PG_RETURN_BOOL(RecoveryInProgress() ? wait_on_standby(&waiter) :
				   wait_for_position(&waiter));
}

/* ------------------------------------------------------------------------
 * health
 * ------------------------------------------------------------------------
 */

static void
push_field(JsonbParseState **state, const char *key, JsonbValue *value)
{
	JsonbValue	k;

	k.type = jbvString;
	k.val.string.val = (char *) key;
	k.val.string.len = strlen(key);
	(void) pushJsonbValue(state, WJB_KEY, &k);
	(void) pushJsonbValue(state, WJB_VALUE, value);
}

/* An empty text is null. */
static void
push_text(JsonbParseState **state, const char *key, const char *text)
{
	JsonbValue	value;

	value.type = jbvNull;
	if (text && text[0] != '\0')
	{
		value.type = jbvString;
		value.val.string.val = (char *) text;

		value.val.string.len = strlen(text);
	}
	push_field(state, key, &value);
}

/* A negative number is null. */
static void
push_number(JsonbParseState **state, const char *key, int64 number)
{
	JsonbValue	value;

	value.type = jbvNull;
	if (number >= 0)
	{
		value.type = jbvNumeric;
		value.val.numeric = int64_to_numeric(number);
	}
	push_field(state, key, &value);
}

/* Rows that running copies have read and not committed. */
static int64
rows_in_flight(int32 subid)
{
	int64		rows = 0;
	ListCell   *lc;

	foreach(lc, ms_shmem_list_copies(MyDatabaseId))
	{
		MsCopyView *copy = lfirst(lc);

		if (copy->subid == subid && copy->task.phase == MS_COPY_PHASE_COPYING)
			rows += copy->task.rows_done;
	}
	return rows;
}

static int64
gtid_distance(const char *behind, const char *ahead)
{
	MsGtidList	from;
	MsGtidList	to;

	ms_gtid_init(&from);
	ms_gtid_init(&to);
	if (ahead[0] == '\0' || !ms_gtid_parse_list(behind, &from) ||
		!ms_gtid_parse_list(ahead, &to))
		return -1;
	return (int64) ms_gtid_distance(&from, &to);
}

Datum
ms_health(PG_FUNCTION_ARGS)
{
	MsSubscription *sub = ms_find_visible_subscription(NameStr(*PG_GETARG_NAME(0)));
	MsSlotView	view = {0};
	MsTableSummary tables;
	MsPosition	position;
	const char *applied;
	JsonbParseState *state = NULL;

	if (!ms_shmem_find(MyDatabaseId, sub->subid, &view) ||
		(!sub->enabled && view.pid == 0))
		view.state = MS_SUB_STOPPED;
	ms_catalog_summarize_tables(sub->subid, &tables);
	applied = view.applied_gtid;
	if (applied[0] == '\0')
		applied = ms_catalog_get_position(sub->subid, &position) &&
			position.gtid ? position.gtid : "";

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_text(&state, "status",
			  !sub->enabled && view.pid == 0 &&
			  ms_catalog_is_promoted(sub->subid, applied) ?
			  "promoted" : ms_sub_state_name(view.state));
	push_text(&state, "stage",
			  tables.ready == tables.tables ? "streaming" : "snapshot");
	push_number(&state, "init_rows_total", tables.rows_total);
	push_number(&state, "init_rows_parsed",
				tables.rows_done + rows_in_flight(sub->subid));
	push_text(&state, "server_gtid", view.source_gtid);
	push_text(&state, "consumer_gtid", applied);
	push_number(&state, "gtid_diff", gtid_distance(applied, view.source_gtid));
	push_text(&state, "binlog_oldest", view.binlog_oldest);
	push_number(&state, "binlog_reserve",
				view.binlog_oldest[0] ? view.binlog_reserve : -1);
	push_text(&state, "error",
			  view.state == MS_SUB_ERROR || view.state == MS_SUB_RETRYING ?
			  view.last_error : NULL);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT,
													   NULL)));
}
