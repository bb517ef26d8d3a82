/*
 * sql.c - running SQL of our own making, where a direct call of the server's
 * routines would only repeat what its utility commands do.
 *
 * Statements run as whoever is the current user, in the open transaction,
 * which needs an active snapshot.
 */
#include "postgres.h"

#include "executor/spi.h"

#include "sql.h"

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

/* Does the query return a row? */
bool
ms_sql_has_rows(const char *sql)
{
	return run(sql, true, 1) > 0;
}
