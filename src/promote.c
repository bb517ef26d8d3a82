/*
 * promote.c - the switch-over: PostgreSQL takes the writes from here on.
 *
 * promote() drains the subscription, makes the target fit for an application
 * that writes, and stops the subscription at its commit.  Each step is a row
 * of its result.  Whatever fails undoes all of it: the subscription goes on.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "commands.h"
#include "mariadb_sync.h"
#include "wire.h"

PG_FUNCTION_INFO_V1(ms_promote);

extern Datum ms_wait_for_catchup(PG_FUNCTION_ARGS);
extern Datum ms_stop(PG_FUNCTION_ARGS);

/* how long foreign keys that are being made may take */
#define CONSTRAINTS_WAIT_MS	600000

static void
report(ReturnSetInfo *rsinfo, const char *step, const char *detail)
{
	Datum		values[2];
	bool		nulls[2] = {false, false};

	values[0] = CStringGetTextDatum(step);
	values[1] = CStringGetTextDatum(detail);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* Apply everything that the source has. */
static char *
drain(Datum name, Datum timeout, bool no_timeout)
{
	LOCAL_FCINFO(fcinfo, 2);

	InitFunctionCallInfoData(*fcinfo, NULL, 2, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = name;
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = timeout;
	fcinfo->args[1].isnull = no_timeout;
	return TextDatumGetCString(ms_wait_for_catchup(fcinfo));
}

/* Nothing may have been written since; a read-only source is the best proof. */
static const char *
check_quiet(const MsSubscription *sub, const char *gtid)
{
	MsServerOptions server;
	MsWire	   *wire;
	MsResult   *res;

	ms_load_server(sub->server, sub->owner, &server);
	wire = ms_wire_connect(&server);
	res = ms_wire_query(wire, "SELECT @@global.gtid_binlog_pos, @@global.read_only");
	ms_wire_close(wire);
	if (strcmp(ms_result_cell(res, 0, 0), gtid) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the source of subscription \"%s\" is still written to", sub->name),
				 errdetail("It has gone from GTID position \"%s\" to \"%s\".", gtid,
						   ms_result_cell(res, 0, 0)),
				 errhint("Stop the application, or SET GLOBAL read_only = 1 on the source, and call promote() again.")));
	return strcmp(ms_result_cell(res, 0, 1), "0") == 0 ?
		"the source is quiet, but not read-only" : "the source is read-only";
}

/* Foreign keys that were held back during the copy are made by the worker. */
static void
wait_for_constraints(const MsSubscription *sub)
{
	TimestampTz start = GetCurrentTimestamp();

	for (;;)
	{
		bool		done = true;
		ListCell   *lc;

		foreach(lc, ms_catalog_get_tables(sub->subid))
			done &= ((MsSubTable *) lfirst(lc))->deferred_ddl == NIL;
		if (done)
			return;
		if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), CONSTRAINTS_WAIT_MS))
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("foreign keys of subscription \"%s\" are not made yet", sub->name)));
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 20, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Run a query that makes statements, then the statements.  Returns how many
 * there were.
 */
static int
run_generated(const char *sql)
{
	SPITupleTable *table;
	uint64		n;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute(sql, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute failed");
	table = SPI_tuptable;
	n = SPI_processed;
	for (uint64 i = 0; i < n; i++)
		if (SPI_execute(SPI_getvalue(table->vals[i], table->tupdesc, 1), false, 0) < 0)
			elog(ERROR, "SPI_execute failed");
	SPI_finish();
	return (int) n;
}

static int
validate_constraints(Oid relid)
{
	return run_generated(psprintf("SELECT pg_catalog.format('ALTER TABLE %%s VALIDATE CONSTRAINT %%I',"
								  " conrelid::pg_catalog.regclass, conname)"
								  " FROM pg_catalog.pg_constraint"
								  " WHERE conrelid = %u AND contype IN ('c', 'f') AND NOT convalidated",
								  relid));
}

/* The next value of an identity or serial column is behind the largest. */
static int
move_sequences(Oid relid)
{
	return run_generated(psprintf("SELECT pg_catalog.format('SELECT pg_catalog.setval(%%L, pg_catalog.max(%%I)) FROM %%s HAVING pg_catalog.max(%%I) > 0',"
								  " s, attname, attrelid::pg_catalog.regclass, attname)"
								  " FROM pg_catalog.pg_attribute,"
								  " pg_catalog.pg_get_serial_sequence(attrelid::pg_catalog.regclass::pg_catalog.text, attname) AS s"
								  " WHERE attrelid = %u AND attnum > 0 AND NOT attisdropped AND s IS NOT NULL",
								  relid));
}

Datum
ms_promote(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MsSubscription *sub;
	const char *quiet;
	char	   *gtid;
	int			constraints = 0;
	int			sequences = 0;
	Oid			save_userid;
	int			save_sec_context;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	ms_check_preloaded();
	sub = ms_catalog_find_subscription(NameStr(*PG_GETARG_NAME(0)), false);
	if (!has_privs_of_role(GetUserId(), sub->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of subscription \"%s\"", sub->name)));

	gtid = drain(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_ARGISNULL(1));
	report(rsinfo, "drained", psprintf("applied up to GTID position %s", gtid));
	quiet = check_quiet(sub, gtid);
	report(rsinfo, "source", quiet);
	wait_for_constraints(sub);

	GetUserIdAndSecContext(&save_userid, &save_sec_context);
	SetUserIdAndSecContext(sub->owner,
						   save_sec_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	foreach(lc, ms_catalog_get_tables(sub->subid))
	{
		MsSubTable *table = lfirst(lc);

		constraints += validate_constraints(table->relid);
		sequences += move_sequences(table->relid);
	}
	SetUserIdAndSecContext(save_userid, save_sec_context);
	report(rsinfo, "constraints", psprintf("%d constraints validated", constraints));
	report(rsinfo, "sequences", psprintf("%d sequences moved", sequences));

	/* between the first look and now the application may have come back */
	(void) check_quiet(sub, gtid);
	DirectFunctionCall1(ms_stop, PG_GETARG_DATUM(0));
	ms_catalog_add_history(sub->subid, "promote", gtid, NULL, NULL, quiet);
	report(rsinfo, "promoted", psprintf("subscription \"%s\" stops when this transaction commits",
										sub->name));
	return (Datum) 0;
}
