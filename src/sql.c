/*
 * sql.c - running SQL of our own making, where a direct call of the server's
 * routines would only repeat what its utility commands do.
 *
 * Statements run as whoever is the current user, in the open transaction,
 * which needs an active snapshot.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "executor/spi.h"
#include "utils/guc.h"

#include "sql.h"
#include "subtransaction.h"

/*
 * Names that are not qualified mean PostgreSQL's own, until the GUC nest level
 * ends.  Temporary objects would come before them if they were not named last.
 */
void
ms_sql_set_path(void)
{
	if (strcmp(namespace_search_path, MS_SEARCH_PATH) != 0)
		(void) set_config_option("search_path", MS_SEARCH_PATH, PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

static uint64
run(const char *sql, bool read_only, long limit)
{
	int			rc;
	uint64		rows;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	rc = SPI_execute(sql, read_only, limit);
	if (rc < 0)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(rc));
	rows = SPI_processed;
	SPI_finish();
	return rows;
}

/* Run a statement.  Returns the number of rows it processed. */
uint64
ms_sql_run(const char *sql)
{
	return run(sql, false, 0);
}

/*
 * Run a CREATE INDEX.  NULL, or why there is none: MariaDB's keys may be longer
 * than those of PostgreSQL.  Any other error is raised.
 */
char *
ms_sql_make_index(const char *sql)
{
	MsSubtransaction sub;
	ErrorData  *volatile error = NULL;

	ms_subtransaction_begin(&sub);
	PG_TRY();
	{
		(void) ms_sql_run(sql);
		ms_subtransaction_commit(&sub);
	}
	PG_CATCH();
	{
		error = ms_subtransaction_abort(&sub);
	}
	PG_END_TRY();
	if (error == NULL)
		return NULL;
	if (error->sqlerrcode != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
		ReThrowError(error);
	return error->message;
}

/* Does the query return a row? */
bool
ms_sql_has_rows(const char *sql)
{
	return run(sql, true, 1) > 0;
}

/*
 * Run a query that makes statements, then the statements.  Returns how many
 * there were.
 */
int
ms_sql_run_generated(const char *sql)
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
