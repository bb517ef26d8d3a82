/*
 * promote.c - the switch-over: PostgreSQL takes the writes from here on.
 *
 * promote() drains the subscription, makes the target fit for an application
 * that writes, and stops the subscription at its commit.  Each step is a row
 * of its result.  Whatever fails undoes all of it: the subscription goes on.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "clock.h"
#include "commands.h"
#include "constraint_check.h"
#include "ddl_diff.h"
#include "mariadb_sync.h"
#include "remote_schema.h"
#include "role.h"
#include "sequence.h"
#include "sql.h"
#include "subtransaction.h"
#include "typemap.h"
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

/* XA transactions without an outcome would never get one. */
static void
check_prepared(const MsSubscription *sub)
{
	List	   *xids = ms_catalog_prepared_xids(sub->subid, true, 0);

	if (xids != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg_plural("subscription \"%s\" holds back %d XA transaction that is prepared on the source",
							   "subscription \"%s\" holds back %d XA transactions that are prepared on the source",
							   list_length(xids), sub->name, list_length(xids)),
				 errdetail("The first is %s.", (char *) linitial(xids)),
				 errhint("Run XA COMMIT or XA ROLLBACK for each of them on the source; mariadb_sync.prepared_transaction lists them.")));
}

/* Foreign keys that were held back during the copy are made by the worker. */
static void
wait_for_constraints(const MsSubscription *sub)
{
	TimestampTz start = ms_clock_now();

	for (;;)
	{
		bool		done = true;
		ListCell   *lc;

		foreach(lc, ms_catalog_get_tables(sub->subid))
			done &= !((MsSubTable *) lfirst(lc))->foreign_keys_wait;
		if (done)
			return;
		if (TimestampDifferenceExceeds(start, ms_clock_now(), CONSTRAINTS_WAIT_MS))
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("foreign keys of subscription \"%s\" are not made yet", sub->name)));
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 20, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Nothing may differ. */
static char *
verify(const MsSubscription *sub)
{
	MemoryContext caller = CurrentMemoryContext;
	char	   *rows;
	int			ntables;
	bool		isnull;
	bool		altered;
	int64		different;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute(psprintf("SELECT pg_catalog.sum(missing + surplus + different)::pg_catalog.int8,"
							 " pg_catalog.sum(source_rows)::pg_catalog.text, pg_catalog.count(*)::pg_catalog.int4,"
							 " pg_catalog.bool_or(missing IS NULL)"
							 " FROM mariadb_sync.verify(%s)", quote_literal_cstr(sub->name)),
					false, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute failed");
	different = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	rows = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	ntables = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3, &isnull));
	altered = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 4, &isnull));
	if (altered)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("tables of subscription \"%s\" were altered while they were verified",
						sub->name),
				 errhint("Call mariadb_sync.promote() again.")));
	if (different > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg_plural("subscription \"%s\" has %lld row that differs from the source's",
							   "subscription \"%s\" has %lld rows that differ from the source's",
							   different, sub->name, (long long) different),
				 errhint("SELECT * FROM mariadb_sync.verify('%s') finds them, and repair => true mends them.",
						 sub->name)));
	rows = MemoryContextStrdup(caller, rows ? rows : "0");
	SPI_finish();
	return psprintf("%s rows of %d tables are equal", rows, ntables);
}

/* ------------------------------------------------------------------------
 * Constraints
 * ------------------------------------------------------------------------
 */

/*
 * Run a statement that may fail.  Returns its error, or NULL.  A row that
 * violates the constraint is an error of its own when strict.
 */
static char *
try_statement(const char *sql, Oid relid, bool strict)
{
	MsSubtransaction sub;
	ErrorData  *volatile edata = NULL;

	ms_subtransaction_begin(&sub);
	PG_TRY();
	{
		ms_check_constraint_statement(sql, relid);
		ms_sql_run(sql);
		ms_subtransaction_commit(&sub);
	}
	PG_CATCH();
	{
		edata = ms_subtransaction_abort(&sub);
	}
	PG_END_TRY();
	if (edata == NULL)
		return NULL;
	if (edata->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		(strict && edata->sqlerrcode == ERRCODE_FOREIGN_KEY_VIOLATION))
		ReThrowError(edata);
	return edata->sqlerrcode == ERRCODE_DUPLICATE_OBJECT ? "" : edata->message;
}

/*
 * MariaDB's words in PostgreSQL's quotes: backslashes escape inside of strings,
 * and identifiers are in backticks.
 */
static char *
translate_quotes(const char *clause)
{
	StringInfoData buf;
	bool		in_string = false;

	initStringInfo(&buf);
	for (; *clause; clause++)
	{
		if (in_string && *clause == '\\' && clause[1] != '\0')
			appendStringInfoChar(&buf, *clause++);
		else if (*clause == '\'')
		{
			if (!in_string)
				appendStringInfoString(&buf, " E");
			in_string = !in_string;
		}
		appendStringInfoChar(&buf, *clause == '`' && !in_string ? '"' : *clause);
	}
	return buf.data;
}

/* What the application will miss in the target that we have made. */
static void
report_losses(ReturnSetInfo *rsinfo, const MsSubTable *table,
			  const MsSubscriptionOptions *options)
{
	MsSourceTable *source;
	StringInfoData buf;
	List	   *losses;
	ListCell   *lc;

	if (!table->created)
		return;
	source = ms_source_table_from_jsonb(table->source_schema);
	ms_options_bind_columns(source->columns, table->columns, options);
	foreach(lc, ms_model_missing_indexes(source, table->relid))
		report(rsinfo, "not made", lfirst(lc));
	losses = list_concat(ms_typemap_losses(source, options),
						 ms_typemap_differences(source));
	if (losses == NIL)
		return;
	initStringInfo(&buf);
	appendStringInfo(&buf, "%s.%s: ", table->source_db, table->source_table);
	foreach(lc, losses)
		appendStringInfo(&buf, "%s%s", foreach_current_index(lc) > 0 ? "; " : "",
						 (char *) lfirst(lc));
	report(rsinfo, "not made", buf.data);
}

/*
 * Constraints that could not be made before, and checks, which a replica does
 * not need.  What MariaDB's words do not mean here is reported.
 */
static int
make_constraints(ReturnSetInfo *rsinfo, const MsSubscription *sub,
				 const MsSubTable *table)
{
	int			made = 0;
	char	   *target = quote_qualified_identifier(get_namespace_name(get_rel_namespace(table->relid)),
													get_rel_name(table->relid));
	List	   *statements;
	int			foreign_keys;
	ListCell   *lc;

	statements = ms_catalog_get_failed_constraints(table);
	foreign_keys = list_length(statements);
	if (table->created)
		foreach(lc, ms_source_table_from_jsonb(table->source_schema)->checks)
	{
		MsSourceCheck *check = lfirst(lc);

		statements = lappend(statements,
							 psprintf("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s)",
									  target, quote_identifier(check->name),
									  translate_quotes(check->clause)));
	}
	foreach(lc, statements)
	{
		char	   *error = try_statement(lfirst(lc), table->relid,
										  foreach_current_index(lc) < foreign_keys);

		if (error == NULL)
			made++;
		else if (error[0] != '\0')
			report(rsinfo, "not made", psprintf("%s: %s", (char *) lfirst(lc), error));
	}
	return made;
}

static int
validate_constraints(Oid relid)
{
	return ms_sql_run_generated(psprintf("SELECT pg_catalog.format('ALTER TABLE %%s VALIDATE CONSTRAINT %%I',"
										 " conrelid::pg_catalog.regclass, conname)"
										 " FROM pg_catalog.pg_constraint"
										 " WHERE conrelid = %u AND contype IN ('c', 'f') AND NOT convalidated",
										 relid));
}

/* ------------------------------------------------------------------------
 * Sequences
 * ------------------------------------------------------------------------
 */

/*
 * The source's next value of an AUTO_INCREMENT, which may be behind the
 * largest by more than one.  "0" when it has none.
 */
static char *
last_auto_increment(MsWire *wire, const MsSubTable *table)
{
	char	   *next = ms_wire_query_value(wire,
										   psprintf("SELECT AUTO_INCREMENT - 1 FROM information_schema.TABLES"
													" WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
													ms_wire_quote_literal(table->source_db),
													ms_wire_quote_literal(table->source_table)));

	return next && strspn(next, "0123456789") == strlen(next) ? next : "0";
}

/*
 * An AUTO_INCREMENT that did not become an identity, as its type cannot be
 * one, gets a sequence.
 */
static void
make_sequences(const MsSubTable *table)
{
	MsSourceTable *source = ms_source_table_from_jsonb(table->source_schema);
	MsSubscriptionOptions options;
	ListCell   *lc;

	ms_options_parse(ms_catalog_get_subscription(table->subid)->options, &options);
	ms_options_bind_columns(source->columns, table->columns, &options);
	foreach(lc, source->columns)
	{
		MsSourceColumn *col = lfirst(lc);
		const char *name = ms_typemap_target_name(col);

		if (!col->auto_increment || name == NULL || !table->created)
			continue;
		(void) ms_sql_run_generated(psprintf("SELECT s FROM pg_catalog.pg_attribute a, pg_catalog.pg_class c, pg_catalog.pg_namespace n,"
											 " pg_catalog.left(relname || '_' || attname || '_seq', 63) AS seq,"
											 " pg_catalog.unnest(ARRAY["
											 " pg_catalog.format('CREATE SEQUENCE %%I.%%I OWNED BY %%I.%%I.%%I', nspname, seq, nspname, relname, attname),"
											 " pg_catalog.format('ALTER TABLE %%I.%%I ALTER %%I SET DEFAULT pg_catalog.nextval(%%L::pg_catalog.regclass)',"
											 " nspname, relname, attname, pg_catalog.format('%%I.%%I', nspname, seq))]) AS s"
											 " WHERE c.oid = %u AND a.attrelid = c.oid AND n.oid = c.relnamespace"
											 " AND a.attname = %s AND a.attidentity = '' AND NOT a.atthasdef",
											 table->relid, quote_literal_cstr(name)));
	}
}

/* The next value of an identity or serial column is behind the largest. */
static int
move_sequences(Oid relid, const char *last)
{
	return ms_sql_run_generated(psprintf("SELECT pg_catalog.format('SELECT pg_catalog.setval(%%L, greatest(pg_catalog.max(%%I), %s)::pg_catalog.int8)"
										 " FROM %%s HAVING greatest(pg_catalog.max(%%I), %s) > 0',"
										 " s, attname, attrelid::pg_catalog.regclass, attname)"
										 " FROM pg_catalog.pg_attribute,"
										 " pg_catalog.pg_get_serial_sequence(attrelid::pg_catalog.regclass::pg_catalog.text, attname) AS s"
										 " WHERE attrelid = %u AND attnum > 0 AND NOT attisdropped AND s IS NOT NULL",
										 last, last, relid));
}

/*
 * SEQUENCE objects follow the source, but verify() does not look at them: a
 * read view does not show their value.  Now that nothing is written it can be
 * taken as it is.
 */
static void
set_sequence_objects(ReturnSetInfo *rsinfo, const MsSubscription *sub, MsWire *wire)
{
	List	   *sequences = ms_catalog_get_sequences(sub->subid);
	MsSubscriptionOptions options;

	if (sequences == NIL)
		return;
	ms_options_parse(sub->options, &options);
	(void) ms_sequence_map(sub->subid,
						   ms_remote_schema_fetch(wire, sub->patterns, NULL, NULL),
						   &options, wire);
	report(rsinfo, "sequences", psprintf("%d SEQUENCE objects are where the source's are",
										 list_length(sequences)));
}

/* As the owner: what an application that writes needs. */
static void
prepare_tables(ReturnSetInfo *rsinfo, const MsSubscription *sub)
{
	MsServerOptions server;
	MsWire	   *wire;
	List	   *tables = ms_catalog_get_tables(sub->subid);
	int			made = 0;
	int			validated = 0;
	int			sequences = 0;
	MsSubscriptionOptions options;
	MsRole		before;
	ListCell   *lc;

	ms_options_parse(sub->options, &options);
	ms_load_server(sub->server, sub->owner, &server);
	wire = ms_wire_connect(&server);
	foreach(lc, tables)
	{
		MsSubTable *table = lfirst(lc);

		ms_role_enter_table(table->relid, &before);
		made += make_constraints(rsinfo, sub, table);
		report_losses(rsinfo, table, &options);
		ms_role_return(&before);
	}
	foreach(lc, tables)
	{
		MsSubTable *table = lfirst(lc);

		ms_role_enter_table(table->relid, &before);
		validated += validate_constraints(table->relid);
		make_sequences(table);
		sequences += move_sequences(table->relid, last_auto_increment(wire, table));
		ms_role_return(&before);
	}
	set_sequence_objects(rsinfo, sub, wire);
	ms_wire_close(wire);
	if (made > 0)
		report(rsinfo, "constraints", psprintf("%d constraints made", made));
	report(rsinfo, "constraints", psprintf("%d constraints validated", validated));
	report(rsinfo, "sequences", psprintf("%d sequences moved", sequences));
}

Datum
ms_promote(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MsSubscription *sub;
	const char *quiet;
	char	   *gtid;
	MsRole		before;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	ms_check_preloaded();
	sub = ms_catalog_find_subscription(NameStr(*PG_GETARG_NAME(0)), false);
	if (!has_privs_of_role(GetUserId(), sub->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of subscription \"%s\"", sub->name)));

	check_prepared(sub);
	gtid = drain(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_ARGISNULL(1));
	report(rsinfo, "drained", psprintf("applied up to GTID position %s", gtid));
	quiet = check_quiet(sub, gtid);
	report(rsinfo, "source", quiet);
	if (!PG_ARGISNULL(2) && PG_GETARG_BOOL(2))
		report(rsinfo, "verified", verify(sub));
	wait_for_constraints(sub);

	ms_role_become(sub->owner, &before);
	prepare_tables(rsinfo, sub);
	ms_role_return(&before);

	/* between the first look and now the application may have come back */
	(void) check_quiet(sub, gtid);
	DirectFunctionCall1(ms_stop, PG_GETARG_DATUM(0));
	ms_catalog_add_history(sub->subid, "promote", gtid, NULL, NULL, quiet);
	report(rsinfo, "promoted", psprintf("subscription \"%s\" stops when this transaction commits",
										sub->name));
	return (Datum) 0;
}
