/*
 * target_sql.c - writing rows through SQL statements.
 *
 * The general road: whatever kind of table it is, rows behave as an INSERT,
 * UPDATE or DELETE of the subscription's owner would.  Statements are
 * prepared once per target and run through SPI with the decoded datums as
 * parameters.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "target_sql.h"

struct MsTargetSql
{
	char	   *relation;		/* quoted and qualified */
	int			ncolumns;		/* mapped columns */
	int		   *atts;			/* their attribute indexes */
	Oid		   *types;
	char	  **names;			/* quoted */
	int			nkeys;			/* 0 = the whole row is the key */
	int		   *key_columns;	/* in atts */
	SPIPlanPtr	insert;
	SPIPlanPtr	exists;
	SPIPlanPtr	update;
	SPIPlanPtr	delete;
	MemoryContextCallback release;
};

/* Prepared statements do not go with a memory context by themselves. */
static void
release_plans(void *arg)
{
	MsTargetSql *sql = (MsTargetSql *) arg;
	SPIPlanPtr	plans[] = {sql->insert, sql->exists, sql->update, sql->delete};

	for (int i = 0; i < (int) lengthof(plans); i++)
		if (plans[i])
			SPI_freeplan(plans[i]);
}

/*
 * Prepare to write to rel through SQL.  nkeys 0 means that rows are told
 * apart by all their columns; key_atts are attribute indexes.
 */
MsTargetSql *
ms_target_sql_build(Relation rel, const Bitmapset *mapped, int nkeys,
					const int *key_atts)
{
	MsTargetSql *sql = palloc0(sizeof(MsTargetSql));
	TupleDesc	desc = RelationGetDescr(rel);

	sql->release.func = release_plans;
	sql->release.arg = sql;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &sql->release);
	sql->relation = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
											   RelationGetRelationName(rel));
	sql->atts = palloc(sizeof(int) * Max(1, desc->natts));
	sql->types = palloc(sizeof(Oid) * 2 * Max(1, desc->natts));
	sql->names = palloc(sizeof(char *) * Max(1, desc->natts));
	sql->key_columns = palloc(sizeof(int) * Max(1, nkeys));
	sql->nkeys = nkeys;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || !bms_is_member(i, mapped))
			continue;
		for (int k = 0; k < nkeys; k++)
			if (key_atts[k] == i)
				sql->key_columns[k] = sql->ncolumns;
		sql->atts[sql->ncolumns] = i;
		sql->types[sql->ncolumns] = att->atttypid;
		sql->names[sql->ncolumns] = pstrdup(quote_identifier(NameStr(att->attname)));
		sql->ncolumns++;
	}
	return sql;
}

/*
 * The condition that finds a row; its parameters start at $first.  Without a
 * key, one of the equal rows: compared as text, since not every type has an
 * equality operator.
 */
static void
append_condition(MsTargetSql *sql, StringInfo buf, int first)
{
	if (sql->nkeys > 0)
	{
		for (int k = 0; k < sql->nkeys; k++)
			appendStringInfo(buf, "%s%s = $%d", k ? " AND " : "",
							 sql->names[sql->key_columns[k]],
							 first + sql->key_columns[k]);
		return;
	}
	appendStringInfo(buf, "(tableoid, ctid) = (SELECT tableoid, ctid FROM %s WHERE ",
					 sql->relation);
	for (int i = 0; i < sql->ncolumns; i++)
		appendStringInfo(buf, "%s%s::text IS NOT DISTINCT FROM $%d::text",
						 i ? " AND " : "", sql->names[i], first + i);
	appendStringInfoString(buf, " LIMIT 1)");
}

static SPIPlanPtr
prepare(const char *text, int nargs, Oid *types)
{
	SPIPlanPtr	plan = SPI_prepare(text, nargs, types);

	if (plan == NULL)
		elog(ERROR, "SPI_prepare of \"%s\" failed: %s", text,
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

/* Fill a statement's parameters from a row. */
static void
set_parameters(MsTargetSql *sql, Datum *params, char *nulls, int offset,
			   const Datum *values, const bool *isnull)
{
	for (int i = 0; i < sql->ncolumns; i++)
	{
		params[offset + i] = values[sql->atts[i]];
		nulls[offset + i] = isnull[sql->atts[i]] ? 'n' : ' ';
	}
}

/* Run a prepared statement; returns how many rows it touched or found. */
static uint64
run(SPIPlanPtr plan, Datum *params, char *nulls)
{
	int			rc = SPI_execute_plan(plan, params, nulls, false, 0);
	uint64		processed = SPI_processed;

	if (rc < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(rc));
	return processed;
}

static void
begin(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
ms_target_sql_insert(MsTargetSql *sql, const Datum *values, const bool *isnull)
{
	Datum	   *params = palloc(sizeof(Datum) * Max(1, sql->ncolumns));
	char	   *nulls = palloc(Max(1, sql->ncolumns));

	begin();
	if (sql->insert == NULL)
	{
		StringInfoData buf;

		initStringInfo(&buf);
		appendStringInfo(&buf, "INSERT INTO %s (", sql->relation);
		for (int i = 0; i < sql->ncolumns; i++)
			appendStringInfo(&buf, "%s%s", i ? ", " : "", sql->names[i]);
		/* an identity column takes the source's value */
		appendStringInfoString(&buf, ") OVERRIDING SYSTEM VALUE VALUES (");
		for (int i = 0; i < sql->ncolumns; i++)
			appendStringInfo(&buf, "%s$%d", i ? ", " : "", i + 1);
		appendStringInfoChar(&buf, ')');
		sql->insert = prepare(buf.data, sql->ncolumns, sql->types);
	}
	set_parameters(sql, params, nulls, 0, values, isnull);
	run(sql->insert, params, nulls);
	SPI_finish();
	pfree(params);
	pfree(nulls);
}

/*
 * Run the statement "verb FROM relation" for a row, with the plan that is made
 * of it at its first use.  False when there is no such row.
 */
static bool
run_for_row(MsTargetSql *sql, SPIPlanPtr *plan, const char *verb,
			const Datum *values, const bool *isnull)
{
	Datum	   *params = palloc(sizeof(Datum) * Max(1, sql->ncolumns));
	char	   *nulls = palloc(Max(1, sql->ncolumns));
	uint64		found;

	begin();
	if (*plan == NULL)
	{
		StringInfoData buf;

		initStringInfo(&buf);
		appendStringInfo(&buf, "%s FROM %s WHERE ", verb, sql->relation);
		append_condition(sql, &buf, 1);
		*plan = prepare(buf.data, sql->ncolumns, sql->types);
	}
	set_parameters(sql, params, nulls, 0, values, isnull);
	found = run(*plan, params, nulls);
	SPI_finish();
	pfree(params);
	pfree(nulls);
	return found > 0;
}

/* Is there a row with this key?  Only for targets with a key. */
bool
ms_target_sql_exists(MsTargetSql *sql, const Datum *values, const bool *isnull)
{
	return run_for_row(sql, &sql->exists, "SELECT 1", values, isnull);
}

bool
ms_target_sql_delete(MsTargetSql *sql, const Datum *values, const bool *isnull)
{
	return run_for_row(sql, &sql->delete, "DELETE", values, isnull);
}

/*
 * UPDATE ... SET for the columns in present, by attribute; NULL = all.  The
 * new values are $1 and on, the old ones come after them.
 */
static char *
update_statement(MsTargetSql *sql, const bool *present)
{
	StringInfoData buf;
	const char *separator = "";

	initStringInfo(&buf);
	appendStringInfo(&buf, "UPDATE %s SET ", sql->relation);
	for (int i = 0; i < sql->ncolumns; i++)
	{
		if (present && !present[sql->atts[i]])
			continue;
		appendStringInfo(&buf, "%s%s = $%d", separator, sql->names[i], i + 1);
		separator = ", ";
	}
	appendStringInfoString(&buf, " WHERE ");
	append_condition(sql, &buf, sql->ncolumns + 1);
	return buf.data;
}

/*
 * Update the row of the old values.  present tells which columns are set, by
 * attribute; NULL = all.
 */
bool
ms_target_sql_update(MsTargetSql *sql, const Datum *old_values,
					 const bool *old_isnull, const Datum *values,
					 const bool *isnull, const bool *present)
{
	Datum	   *params = palloc0(sizeof(Datum) * 2 * Max(1, sql->ncolumns));
	char	   *nulls = palloc(2 * Max(1, sql->ncolumns));
	uint64		updated;

	memcpy(&sql->types[sql->ncolumns], sql->types, sizeof(Oid) * sql->ncolumns);
	set_parameters(sql, params, nulls, 0, values, isnull);
	set_parameters(sql, params, nulls, sql->ncolumns, old_values, old_isnull);
	for (int i = 0; present && i < sql->ncolumns; i++)
		if (!present[sql->atts[i]])
			nulls[i] = 'n';

	begin();
	if (present == NULL)
	{
		if (sql->update == NULL)
			sql->update = prepare(update_statement(sql, NULL),
								  2 * sql->ncolumns, sql->types);
		updated = run(sql->update, params, nulls);
	}
	else
	{
		int			rc = SPI_execute_with_args(update_statement(sql, present),
											   2 * sql->ncolumns, sql->types,
											   params, nulls, false, 0);

		if (rc < 0)
			elog(ERROR, "SPI_execute_with_args failed: %s",
				 SPI_result_code_string(rc));
		updated = SPI_processed;
	}
	SPI_finish();
	pfree(params);
	pfree(nulls);
	return updated > 0;
}

/* Run a statement about a table as a whole. */
static void
run_on_table(const char *format, Oid relid)
{
	char	   *name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
												  get_rel_name(relid));
	char	   *text = psprintf(format, name);
	int			rc;

	begin();
	rc = SPI_execute(text, false, 0);
	if (rc < 0)
		elog(ERROR, "SPI_execute of \"%s\" failed: %s", text,
			 SPI_result_code_string(rc));
	SPI_finish();
}

void
ms_target_sql_delete_all(Oid relid)
{
	run_on_table("DELETE FROM %s", relid);
}

void
ms_target_sql_truncate(Oid relid)
{
	run_on_table("TRUNCATE %s", relid);
}
