/*
 * preflight_tables.c - are the tables fit to be replicated?
 *
 * Part of preflight.c, which says what a check is.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "preflight_internal.h"
#include "remote_schema.h"
#include "typemap.h"

static char *
table_name(const MsSourceTable *table)
{
	return psprintf("%s.%s", table->db, table->name);
}

static char *
quoted_name(const MsSourceTable *table)
{
	return psprintf("%s.%s", ms_wire_quote_identifier(table->db),
					ms_wire_quote_identifier(table->name));
}

/* How to leave tables out. */
static char *
exclude_hint(List *names)
{
	return psprintf("Leave such tables out with a pattern such as \"!%s\".",
					(char *) linitial(names));
}

static void
check_select_privilege(Preflight *pf)
{
	List	   *names = NIL;
	char	   *grant = NULL;
	ListCell   *lc;

	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);

		if (!table->select_denied &&
			!ms_grants_partial_select(pf->grants, table->db, table->name))
			continue;
		names = lappend(names, table_name(table));
		if (grant == NULL)
			grant = psprintf("GRANT SELECT, REFERENCES ON %s TO %s;",
							 quoted_name(table), pf->account);
	}
	if (names == NIL)
		ms_preflight_add_ok(pf, "privilege_select",
							psprintf("%s may read every table", pf->account));
	else
		ms_preflight_add_names(pf, "privilege_select", MS_SEVERITY_ERROR,
							   ERRCODE_INSUFFICIENT_PRIVILEGE, names,
							   psprintf("tables that %s may not read", pf->account),
							   "The privilege SELECT is missing, or given on some columns only",
							   psprintf("Run on the source: %s", grant));
}

static void
check_foreign_key_visibility(Preflight *pf)
{
	List	   *names = NIL;
	char	   *db = NULL;
	ListCell   *lc;

	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);

		if (!table->foreign_keys_hidden)
			continue;
		names = lappend(names, table_name(table));
		if (db == NULL)
			db = ms_wire_quote_identifier(table->db);
	}
	if (names)
		ms_preflight_add_names(pf, "privilege_references", MS_SEVERITY_WARNING,
							   0, names,
							   "tables whose foreign keys are not seen",
							   "They are not created here, and rows that they change by CASCADE or SET NULL are not changed here. MariaDB shows the rules of foreign keys only to accounts with a privilege besides SELECT",
							   psprintf("Run on the source: GRANT REFERENCES ON %s.* TO %s;",
										db, pf->account));
}

/* The databases of a pattern as GRANT writes them: "`sh%`.*". */
static char *
grant_scope(const char *pattern)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (; *pattern && *pattern != '.'; pattern++)
	{
		if (*pattern == '*')
			appendStringInfoChar(&buf, '%');
		else if (*pattern == '?')
			appendStringInfoChar(&buf, '_');
		else if (*pattern == '%' || *pattern == '_')
			appendStringInfo(&buf, "\\%c", *pattern);
		else
			appendStringInfoChar(&buf, *pattern);
	}
	return psprintf("%s.*", ms_wire_quote_identifier(buf.data));
}

/* A pattern that chooses nothing is likely a typing error. */
static void
check_patterns(Preflight *pf)
{
	ListCell   *lc;

	foreach(lc, pf->patterns)
	{
		char	   *pattern = lfirst(lc);
		List	   *single = list_make1(pattern);
		bool		found = pattern[0] == '!';
		ListCell   *lc2;

		foreach(lc2, pf->tables)
		{
			MsSourceTable *table = lfirst(lc2);

			if (found)
				break;
			found = ms_pattern_list_matches(single, table->db, table->name);
		}
		if (found)
			continue;
		ms_preflight_add(pf, "tables", MS_SEVERITY_WARNING, ERRCODE_UNDEFINED_TABLE,
						 psprintf("pattern \"%s\" chooses no table", pattern),
						 pstrdup("Names are compared with upper and lower case as they are; tables on which the account has no privilege are not seen, and views and MariaDB's own databases are never chosen."),
						 psprintf("Check the spelling; if it is right, run on the source: GRANT SELECT, REFERENCES ON %s TO %s;",
								  grant_scope(pattern), pf->account));
	}
	if (pf->tables)
		ms_preflight_add_ok(pf, "tables", psprintf("tables that the patterns choose: %d",
												   list_length(pf->tables)));
}

/* A name for one more column. */
static char *
free_column_name(const MsSourceTable *table)
{
	char	   *name = "id";

	for (int n = 2; ms_source_find_column(table->columns, name); n++)
		name = psprintf("id%d", n);
	return name;
}

static void
check_keys(Preflight *pf)
{
	List	   *names = NIL;
	MsSourceTable *first = NULL;
	ListCell   *lc;

	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);

		if (ms_source_table_key(table) ||
			strcmp(table->table_type, "BASE TABLE") != 0)
			continue;
		names = lappend(names, table_name(table));
		if (first == NULL)
			first = table;
	}
	if (names == NIL)
		ms_preflight_add_ok(pf, "keys", pstrdup("every table has a key"));
	else
		ms_preflight_add_names(pf, "keys", MS_SEVERITY_WARNING, 0, names,
							   "tables without a key",
							   "An update or delete has to look at the whole table to find its row",
							   psprintf("Give them a key, for example: ALTER TABLE %s ADD COLUMN %s BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY;",
										quoted_name(first), free_column_name(first)));
}

/*
 * Do foreign keys change rows of a table that is not chosen?  Then rows that
 * hang on those are changed through rows that nobody here knows.
 */
static bool
is_changed_unseen(Preflight *pf, const MsSourceForeignKey *key)
{
	List	   *parents;
	ListCell   *lc;

	if (ms_pattern_list_matches(pf->patterns, key->ref_db, key->ref_table))
		return false;
	parents = ms_remote_schema_fetch(pf->wire, NIL, key->ref_db, key->ref_table);
	if (parents == NIL)
		return true;
	foreach(lc, ((MsSourceTable *) linitial(parents))->foreign_keys)
		if (ms_source_foreign_key_acts(lfirst(lc)))
		return true;
	return ((MsSourceTable *) linitial(parents))->foreign_keys_hidden;
}

/* Does a generated column depend on what the foreign key changes? */
static bool
changes_generated(const MsSourceTable *table, const MsSourceForeignKey *key)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, table->columns)
	{
		const MsSourceColumn *col = lfirst(lc);

		foreach(lc2, key->columns)
			if (col->generation &&
				strstr(col->generation, ms_wire_quote_identifier(lfirst(lc2))))
			return true;
	}
	return false;
}

/* Is a column of the key text that is equal by more than its ASCII letters? */
static bool
compares_by_collation(const MsSourceTable *table, const MsSourceForeignKey *key)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, table->columns)
	{
		const MsSourceColumn *col = lfirst(lc);

		foreach(lc2, key->columns)
			if (strcmp(col->name, lfirst(lc2)) == 0 && col->collation &&
				col->labels == NIL && strstr(col->collation, "_bin") == NULL &&
				strcmp(col->collation, "binary") != 0)
			return true;
	}
	return false;
}

static void
check_cascades(Preflight *pf)
{
	List	   *names = NIL;
	List	   *problems = NIL;
	List	   *texts = NIL;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);

		foreach(lc2, table->foreign_keys)
		{
			MsSourceForeignKey *key = lfirst(lc2);
			char	   *name = psprintf("%s of %s", key->name, table_name(table));

			if (!ms_source_foreign_key_acts(key))
				continue;
			names = lappend(names, name);
			if (is_changed_unseen(pf, key))
				problems = lappend(problems,
								   psprintf("%s (foreign keys change rows of %s.%s, which is not chosen)",
											name, key->ref_db, key->ref_table));
			if (!ms_pattern_list_matches(pf->patterns, key->ref_db, key->ref_table) &&
				!ms_preflight_setting_is(pf, "binlog_row_metadata", "FULL"))
				problems = lappend(problems,
								   psprintf("%s (%s.%s is not chosen, and binlog_row_metadata is not FULL)",
											name, key->ref_db, key->ref_table));
			if (changes_generated(table, key))
				problems = lappend(problems,
								   psprintf("%s (a generated column depends on it and is not made anew)",
											name));
			if (compares_by_collation(table, key))
				texts = lappend(texts, name);
		}
	}
	if (names == NIL)
		ms_preflight_add_ok(pf, "cascades",
							pstrdup("no foreign key changes rows by a cascade"));
	else
		ms_preflight_add_names(pf, "cascades", MS_SEVERITY_OK, 0, names,
							   "foreign keys that change rows by CASCADE or SET NULL",
							   "MariaDB does not write such changes to its binary log; they are made here as well, by the same foreign keys",
							   NULL);
	if (problems)
		ms_preflight_add_names(pf, "cascades_unseen", MS_SEVERITY_WARNING,
							   0, problems,
							   "foreign keys whose changes of rows are not all known here",
							   "MariaDB does not write them to its binary log",
							   pstrdup("Choose the tables that they refer to as well."));
	if (texts)
		ms_preflight_add_names(pf, "cascades_text", MS_SEVERITY_NOTICE,
							   0, texts,
							   "foreign keys over text that change rows",
							   "Which texts beyond ASCII are equal by their collations the source is asked, for each row of the parent that is deleted or whose key changes",
							   NULL);
}

static void
check_engines(Preflight *pf)
{
	List	   *names = NIL;
	char	   *first = NULL;
	ListCell   *lc;

	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);
		bool		good = strcmp(table->table_type, "SEQUENCE") == 0;

		if (good || ms_source_has_read_views(table))
			continue;
		names = lappend(names, psprintf("%s (%s)", table_name(table),
										table->engine ? table->engine : "?"));
		if (first == NULL)
			first = quoted_name(table);
	}
	if (names == NIL)
		ms_preflight_add_ok(pf, "engines", pstrdup("every table is transactional"));
	else
		ms_preflight_add_names(pf, "engines", MS_SEVERITY_WARNING, 0, names,
							   "tables that are not transactional",
							   "Their changes are replicated one by one, also those of transactions that were rolled back",
							   psprintf("Run on the source: ALTER TABLE %s ENGINE = InnoDB;",
										first));
}

/* Is its history told by transaction ids, and not by time? */
static bool
has_period_of_transactions(const MsSourceTable *table)
{
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		const MsSourceColumn *col = lfirst(lc);

		if (ms_source_column_is_row_end(col) &&
			strcmp(col->data_type, "bigint") == 0)
			return true;
	}
	return false;
}

static void
check_table_types(Preflight *pf)
{
	List	   *sequences = NIL;
	List	   *versioned = NIL;
	List	   *by_transaction = NIL;
	ListCell   *lc;

	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);

		if (strcmp(table->table_type, "SEQUENCE") == 0)
			sequences = lappend(sequences, table_name(table));
		else if (has_period_of_transactions(table))
			by_transaction = lappend(by_transaction, table_name(table));
		else if (strcmp(table->table_type, "BASE TABLE") != 0)
			versioned = lappend(versioned, table_name(table));
	}
	if (sequences)
		ms_preflight_add_ok(pf, "sequences", psprintf("sequences: %d",
													  list_length(sequences)));
	if (by_transaction)
		ms_preflight_add_names(pf, "system_versioned_by_transaction", MS_SEVERITY_ERROR,
							   ERRCODE_FEATURE_NOT_SUPPORTED, by_transaction,
							   "tables whose history is told by transaction ids",
							   "MariaDB logs changes of such tables as statements, whatever binlog_format is",
							   exclude_hint(by_transaction));
	if (versioned)
		ms_preflight_add_names(pf, "system_versioned", MS_SEVERITY_NOTICE,
							   0, versioned,
							   "tables that are system-versioned",
							   "Their current rows are replicated, their history only with the option \"versioned_history\"",
							   NULL);
}

/* What hinders the column, NULL if nothing does. */
ErrorData *
ms_preflight_column_problem(const MsSourceColumn *source)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	ErrorData  *volatile problem = NULL;

	/* nothing but memory is touched in there, so no subtransaction */
	PG_TRY();
	{
		MsColumn	col = {0};

		ms_typemap_init_column(&col, source);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(oldcxt);
		problem = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();

	return problem;
}

static void
check_columns(Preflight *pf)
{
	bool		good = true;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);

		if (strcmp(table->table_type, "SEQUENCE") == 0)
			continue;
		foreach(lc2, table->columns)
		{
			MsSourceColumn *col = lfirst(lc2);
			ErrorData  *problem = ms_preflight_column_problem(col);

			if (problem == NULL)
				continue;
			good = false;
			ms_preflight_add(pf, "columns", MS_SEVERITY_ERROR, problem->sqlerrcode,
							 psprintf("column \"%s\" of %s cannot be replicated",
									  col->name, table_name(table)),
							 psprintf("Its type is %s%s%s: %s.", col->column_type,
									  col->charset ? " in character set " : "",
									  col->charset ? col->charset : "",
									  problem->message),
							 problem->hint ? problem->hint :
							 exclude_hint(list_make1(table_name(table))));
		}
	}
	if (good)
		ms_preflight_add_ok(pf, "columns", pstrdup("every column can be replicated"));
}

/*
 * Columns whose type has values in MariaDB that PostgreSQL's has not.  Whether
 * there are such values only the rows could tell.
 */
static void
check_policies(Preflight *pf)
{
	List	   *dates = NIL;
	List	   *texts = NIL;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);

		foreach(lc2, table->columns)
		{
			MsSourceColumn *col = lfirst(lc2);
			char	   *name = psprintf("%s.%s", table_name(table), col->name);

			if (strcmp(col->data_type, "date") == 0 ||
				strcmp(col->data_type, "datetime") == 0 ||
				strcmp(col->data_type, "timestamp") == 0)
				dates = lappend(dates, name);
			else if (col->charset && col->labels == NIL)
				texts = lappend(texts, name);
		}
	}
	if (dates)
		ms_preflight_add_names(pf, "policy_zero_date", MS_SEVERITY_NOTICE,
							   0, dates,
							   "columns that may hold dates such as 0000-00-00",
							   "PostgreSQL has no such dates: they become null unless option \"zero_date\" says otherwise",
							   pstrdup("Set option \"zero_date\" of the subscription, or of a column with add_table(), if null is not what you want."));
	if (texts)
		ms_preflight_add_names(pf, "policy_text", MS_SEVERITY_NOTICE,
							   0, texts,
							   "columns of text that may hold NUL characters, or others that this database lacks",
							   "PostgreSQL has none in text: they are an error unless options \"nul_byte\" and \"untranslatable\" say otherwise",
							   pstrdup("Set options \"nul_byte\" and \"untranslatable\" of the subscription, or of a column with add_table(), if they are to be replaced."));
}

static bool
list_has_word(const char *list, const char *word)
{
	size_t		len = strlen(word);

	for (const char *p = list; *p;)
	{
		size_t		n = strcspn(p, ",");

		if (n == len && strncmp(p, word, len) == 0)
			return true;
		p += n;
		if (*p == ',')
			p++;
	}
	return false;
}

/*
 * Databases that the source leaves out of its binary log.  Before 11.2 only
 * SHOW MASTER STATUS tells them, to who may run it.
 */
static void
check_filters(Preflight *pf)
{
	char	   *do_db = ms_preflight_setting(pf, "binlog_do_db");
	char	   *ignore_db = ms_preflight_setting(pf, "binlog_ignore_db");
	List	   *names = NIL;
	ListCell   *lc;

	if (do_db == NULL && !ms_grants_global(pf->grants, "BINLOG MONITOR"))
		ms_preflight_add(pf, "binlog_filter", MS_SEVERITY_NOTICE, 0,
						 pstrdup("it is not known whether the source leaves databases out of its binary log"),
						 psprintf("%s may not see binlog_do_db and binlog_ignore_db. Changes of databases that they leave out would not arrive.",
								  pf->account),
						 psprintf("Run on the source: GRANT BINLOG MONITOR ON *.* TO %s;",
								  pf->account));
	else if (do_db == NULL)
	{
		MsResult   *status = ms_wire_query(pf->wire, "SHOW MASTER STATUS");

		if (status->nrows > 0 && status->nfields >= 4)
		{
			do_db = ms_result_cell(status, 0, 2);
			ignore_db = ms_result_cell(status, 0, 3);
		}
	}
	foreach(lc, pf->tables)
	{
		MsSourceTable *table = lfirst(lc);
		bool		logged = true;

		if (do_db && do_db[0] != '\0')
			logged = list_has_word(do_db, table->db);
		else if (ignore_db && ignore_db[0] != '\0')
			logged = !list_has_word(ignore_db, table->db);
		if (!logged)
			names = lappend(names, table_name(table));
	}
	if (names)
		ms_preflight_add_names(pf, "binlog_filter", MS_SEVERITY_ERROR,
							   ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, names,
							   "tables that the source does not write to its binary log",
							   "binlog_do_db or binlog_ignore_db keep their databases from being logged",
							   pstrdup("Remove binlog_do_db and binlog_ignore_db from the source's configuration file and restart it."));
}

/* The tables that the patterns choose.  Returns a list of MsFinding. */
List *
ms_preflight_tables(MsWire *wire, List *patterns, List *tables)
{
	Preflight	pf = {.wire = wire,.patterns = patterns,.tables = tables};

	ms_preflight_load_settings(&pf);
	ms_preflight_load_account(&pf);
	check_patterns(&pf);
	if (tables == NIL)
		return pf.findings;
	check_select_privilege(&pf);
	check_foreign_key_visibility(&pf);
	check_filters(&pf);
	check_table_types(&pf);
	check_columns(&pf);
	check_policies(&pf);
	check_keys(&pf);
	check_cascades(&pf);
	check_engines(&pf);
	ms_preflight_losses(&pf);
	return pf.findings;
}
