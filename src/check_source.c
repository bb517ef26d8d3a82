/*
 * check_source.c - the function check_source().
 *
 * Connects, runs every check of preflight.c and shows what they found.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "commands.h"
#include "preflight.h"
#include "remote_schema.h"

PG_FUNCTION_INFO_V1(ms_check_source);

/* Whether an error is about the source, not about us being stopped. */
static bool
is_source_problem(const ErrorData *error)
{
	return error->elevel == ERROR &&
		error->sqlerrcode != ERRCODE_QUERY_CANCELED &&
		error->sqlerrcode != ERRCODE_OUT_OF_MEMORY &&
		ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_OPERATOR_INTERVENTION;
}

/*
 * Everything there is to find.  A source that cannot be reached, or fails
 * while it is asked, is a finding too.
 */
static List *
check_source(const MsServerOptions *options, List *patterns)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	MsFinding  *connection = palloc0(sizeof(MsFinding));
	List	   *volatile findings = NIL;
	MsWire	   *volatile wire = NULL;

	connection->check_name = "connection";
	connection->severity = MS_SEVERITY_OK;
	connection->message = psprintf("connected to server \"%s\"",
								   options->server_name);

	/* no catalog or lock is touched in there, so no subtransaction */
	PG_TRY();
	{
		List	   *found;

		wire = ms_wire_connect(options);
		found = ms_preflight_server(wire, options);
		if (((MsFinding *) linitial(found))->severity != MS_SEVERITY_ERROR)
			found = list_concat(found,
								ms_preflight_tables(wire, patterns,
													ms_remote_schema_fetch(wire, patterns,
																		   NULL, NULL)));
		findings = found;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(oldcxt);
		error = CopyErrorData();
		if (!is_source_problem(error))
			PG_RE_THROW();
		FlushErrorState();
		connection->severity = MS_SEVERITY_ERROR;
		connection->message = error->message;
		connection->detail = error->detail;
		connection->hint = error->hint ? error->hint :
			psprintf("Check the options of server \"%s\" and of its user mapping.",
					 options->server_name);
	}
	PG_END_TRY();

	ms_wire_close(wire);
	return lcons(connection, findings);
}

Datum
ms_check_source(PG_FUNCTION_ARGS)
{
	static const char *const severity_names[] = {
		[MS_SEVERITY_OK] = "ok",
		[MS_SEVERITY_NOTICE] = "notice",
		[MS_SEVERITY_WARNING] = "warning",
		[MS_SEVERITY_ERROR] = "error",
	};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	List	   *patterns = ms_patterns_from_array(PG_GETARG_ARRAYTYPE_P(1));
	MsServerOptions options;
	ListCell   *lc;

	ms_load_server(NameStr(*PG_GETARG_NAME(0)), GetUserId(), &options);
	InitMaterializedSRF(fcinfo, 0);

	foreach(lc, check_source(&options, patterns))
	{
		MsFinding  *finding = lfirst(lc);
		Datum		values[5] = {0};
		bool		nulls[5] = {0};

		values[0] = CStringGetTextDatum(finding->check_name);
		values[1] = CStringGetTextDatum(severity_names[finding->severity]);
		values[2] = CStringGetTextDatum(finding->message);
		nulls[3] = finding->detail == NULL;
		if (finding->detail)
			values[3] = CStringGetTextDatum(finding->detail);
		nulls[4] = finding->hint == NULL;
		if (finding->hint)
			values[4] = CStringGetTextDatum(finding->hint);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
							 nulls);
	}
	return (Datum) 0;
}
