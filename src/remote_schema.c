/*
 * remote_schema.c - what the source's information_schema says of its tables.
 *
 * Owns the table patterns of a subscription and the translation of
 * information_schema's rows into MsSourceTable.  A fetch asks each view once
 * for all tables together and sorts the answers into the tables by name, so
 * that thousands of tables cost a handful of queries.  The patterns are sent
 * along, coarsely, to spare the source from opening every table it has; what
 * decides is ms_pattern_list_matches() here.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "remote_schema.h"
#include "typemap.h"

/* ------------------------------------------------------------------------
 * Patterns
 * ------------------------------------------------------------------------
 */

/*
 * Whether text matches a pattern of len bytes: * stands for any characters,
 * ? for one.  Everything else must be the same byte for byte.
 */
static bool
wildcard_matches(const char *pattern, const char *end, const char *text)
{
	const char *star = NULL;	/* pattern after the last * */
	const char *retry = NULL;	/* where that * gives up one more character */

	while (*text)
	{
		if (pattern < end && *pattern == '*')
		{
			star = ++pattern;
			retry = text;
		}
		else if (pattern < end && *pattern == '?')
		{
			pattern++;
			text += pg_mblen(text);
		}
		else if (pattern < end && *pattern == *text)
		{
			pattern++;
			text++;
		}
		else if (star)
		{
			pattern = star;
			retry += pg_mblen(retry);
			text = retry;
		}
		else
			return false;
	}
	while (pattern < end && *pattern == '*')
		pattern++;
	return pattern == end;
}

static bool
pattern_matches(const char *pattern, const char *db, const char *table)
{
	const char *dot = strchr(pattern, '.');

	return wildcard_matches(pattern, dot, db) &&
		wildcard_matches(dot + 1, dot + 1 + strlen(dot + 1), table);
}

/*
 * A table is chosen when a pattern matches it and no pattern with a leading !
 * does, in whatever order they stand.
 */
bool
ms_pattern_list_matches(List *patterns, const char *db, const char *table)
{
	bool		chosen = false;
	ListCell   *lc;

	foreach(lc, patterns)
	{
		const char *pattern = lfirst(lc);

		if (pattern[0] == '!')
		{
			if (pattern_matches(pattern + 1, db, table))
				return false;
		}
		else if (!chosen)
			chosen = pattern_matches(pattern, db, table);
	}
	return chosen;
}

/* An error unless the pattern is db.table or !db.table. */
void
ms_pattern_check(const char *pattern)
{
	const char *db = pattern[0] == '!' ? pattern + 1 : pattern;
	const char *dot = strchr(db, '.');

	if (dot == NULL || dot == db || dot[1] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid table pattern \"%s\"", pattern),
				 errdetail("A pattern is a database and a table with a dot between them; * stands for any characters, ? for one, and a leading ! excludes."),
				 errhint("Examples: \"shop.*\", \"shop.order?\", \"!shop.tmp_*\".")));
}

/* ------------------------------------------------------------------------
 * Conditions for the queries
 * ------------------------------------------------------------------------
 */

/* What to fetch: db.table if db is set, else what the patterns choose. */
typedef struct Request
{
	MsWire	   *wire;
	List	   *patterns;
	const char *db;
	const char *table;
} Request;

#define SYSTEM_SCHEMAS \
	"('mysql', 'information_schema', 'performance_schema', 'sys')"

/*
 * column LIKE 'pattern', or = when there is nothing to match: the source
 * looks up a name without reading its directories.  LIKE is not exact about
 * case and accents, which is good enough for a first choice.
 */
static void
append_like(StringInfo sql, const char *column, const char *pattern, int len)
{
	char	   *text = pnstrdup(pattern, len);
	StringInfoData like;

	if (strpbrk(text, "*?") == NULL)
	{
		appendStringInfo(sql, "%s = %s", column, ms_wire_quote_literal(text));
		return;
	}
	initStringInfo(&like);
	for (const char *p = text; *p; p++)
	{
		if (*p == '*')
			appendStringInfoChar(&like, '%');
		else if (*p == '?')
			appendStringInfoChar(&like, '_');
		else
		{
			if (*p == '%' || *p == '_' || *p == '|')
				appendStringInfoChar(&like, '|');
			appendStringInfoChar(&like, *p);
		}
	}
	appendStringInfo(sql, "%s LIKE %s ESCAPE '|'", column,
					 ms_wire_quote_literal(like.data));
}

/*
 * Which rows of a view to ask for; schema_column is what it calls the
 * database.
 */
static char *
table_condition(const Request *request, const char *schema_column)
{
	StringInfoData sql;
	bool		first = true;
	ListCell   *lc;

	if (request->db)
		return psprintf("%s = %s AND TABLE_NAME = %s", schema_column,
						ms_wire_quote_literal(request->db),
						ms_wire_quote_literal(request->table));

	initStringInfo(&sql);
	appendStringInfo(&sql, "%s NOT IN " SYSTEM_SCHEMAS " AND (",
					 schema_column);
	foreach(lc, request->patterns)
	{
		const char *pattern = lfirst(lc);
		const char *dot = strchr(pattern, '.');

		if (pattern[0] == '!')
			continue;
		if (!first)
			appendStringInfoString(&sql, " OR ");
		first = false;
		append_like(&sql, schema_column, pattern, dot - pattern);
		appendStringInfoString(&sql, " AND ");
		append_like(&sql, "TABLE_NAME", dot + 1, strlen(dot + 1));
	}
	appendStringInfoString(&sql, first ? "FALSE)" : ")");
	return sql.data;
}

/* ------------------------------------------------------------------------
 * Fetching
 * ------------------------------------------------------------------------
 */

/* The tables found, sorted by name, while the other views are read. */
typedef struct TableSet
{
	MsSourceTable **tables;
	int			count;
	MsSourceTable *last;		/* most rows belong to the same as before */
} TableSet;

static int
compare_tables(const void *a, const void *b)
{
	const MsSourceTable *left = *(MsSourceTable *const *) a;
	const MsSourceTable *right = *(MsSourceTable *const *) b;
	int			order = strcmp(left->db, right->db);

	return order != 0 ? order : strcmp(left->name, right->name);
}

/* NULL when the table was not chosen. */
static MsSourceTable *
find_table(TableSet *set, char *db, char *name)
{
	MsSourceTable key = {.db = db,.name = name};
	MsSourceTable *keyptr = &key;
	MsSourceTable **found;

	if (set->last && compare_tables(&set->last, &keyptr) == 0)
		return set->last;
	found = bsearch(&keyptr, set->tables, set->count,
					sizeof(MsSourceTable *), compare_tables);
	if (found)
		set->last = *found;
	return found ? *found : NULL;
}

/*
 * Rows of a view of information_schema for the tables asked for.
 */
static MsResult *
query_view(const Request *request, const char *view, const char *columns,
		   const char *schema_column, const char *and_condition,
		   const char *order_by)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s, TABLE_NAME, %s FROM information_schema.%s WHERE %s",
					 schema_column, columns, view,
					 table_condition(request, schema_column));
	if (and_condition)
		appendStringInfo(&sql, " AND %s", and_condition);
	if (order_by)
		appendStringInfo(&sql, " ORDER BY %s, TABLE_NAME, %s", schema_column,
						 order_by);
	return ms_wire_query(request->wire, sql.data);
}

static int64
cell_int(MsResult *result, int row, int field)
{
	char	   *cell = ms_result_cell(result, row, field);

	return cell ? strtoll(cell, NULL, 10) : 0;
}

static bool
cell_is(MsResult *result, int row, int field, const char *value)
{
	char	   *cell = ms_result_cell(result, row, field);

	return cell && pg_strcasecmp(cell, value) == 0;
}

static void
fetch_tables(const Request *request, TableSet *set)
{
	MsResult   *result;

	result = query_view(request, "TABLES",
						"TABLE_TYPE, ENGINE, TABLE_ROWS, TABLE_COLLATION,"
						" TABLE_COMMENT, CREATE_OPTIONS", "TABLE_SCHEMA",
						"TABLE_TYPE NOT IN ('VIEW', 'SYSTEM VIEW', 'TEMPORARY')",
						NULL);
	set->tables = palloc(sizeof(MsSourceTable *) * Max(result->nrows, 1));
	for (int i = 0; i < result->nrows; i++)
	{
		char	   *row_db = ms_result_cell(result, i, 0);
		char	   *row_name = ms_result_cell(result, i, 1);
		MsSourceTable *entry;
		char	   *options;

		if (request->db ?
			strcmp(request->db, row_db) != 0 ||
			strcmp(request->table, row_name) != 0 :
			!ms_pattern_list_matches(request->patterns, row_db, row_name))
			continue;
		entry = palloc0(sizeof(MsSourceTable));
		entry->db = row_db;
		entry->name = row_name;
		entry->table_type = ms_result_cell(result, i, 2);
		entry->engine = ms_result_cell(result, i, 3);
		entry->rows_estimate = cell_int(result, i, 4);
		entry->collation = ms_result_cell(result, i, 5);
		entry->comment = ms_result_cell(result, i, 6);
		options = ms_result_cell(result, i, 7);
		entry->partitioned = options && strstr(options, "partitioned");
		set->tables[set->count++] = entry;
	}
	qsort(set->tables, set->count, sizeof(MsSourceTable *), compare_tables);
}

static void
fetch_columns(const Request *request, TableSet *set)
{
	MsResult   *result;

	result = query_view(request, "COLUMNS",
						"COLUMN_NAME, LOWER(DATA_TYPE), COLUMN_TYPE,"
						" CHARACTER_SET_NAME, COLLATION_NAME, CHARACTER_MAXIMUM_LENGTH,"
						" NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION,"
						" IS_NULLABLE, EXTRA, IS_GENERATED, PRIVILEGES,"
						" COLUMN_DEFAULT, COLUMN_COMMENT, GENERATION_EXPRESSION",
						"TABLE_SCHEMA", NULL, "ORDINAL_POSITION");
	for (int i = 0; i < result->nrows; i++)
	{
		MsSourceTable *table = find_table(set, ms_result_cell(result, i, 0),
										  ms_result_cell(result, i, 1));
		MsSourceColumn *col;
		char	   *extra;
		char	   *privileges;

		if (table == NULL)
			continue;
		col = palloc0(sizeof(MsSourceColumn));
		col->name = ms_result_cell(result, i, 2);
		col->data_type = ms_result_cell(result, i, 3);
		col->column_type = ms_result_cell(result, i, 4);
		col->charset = ms_result_cell(result, i, 5);
		col->collation = ms_result_cell(result, i, 6);
		col->char_length = cell_int(result, i, 7);
		col->precision = (int) cell_int(result, i, 8);
		col->scale = (int) cell_int(result, i, 9);
		col->fsp = (int) cell_int(result, i, 10);
		col->nullable = cell_is(result, i, 11, "YES");
		extra = ms_result_cell(result, i, 12);
		col->auto_increment = extra && strstr(extra, "auto_increment");
		col->on_update_now = extra && strstr(extra, "on update");
		col->invisible = extra && strstr(extra, "INVISIBLE");
		col->generated = cell_is(result, i, 13, "ALWAYS");
		privileges = ms_result_cell(result, i, 14);
		if (privileges && strstr(privileges, "select") == NULL)
			table->select_denied = true;
		col->default_text = ms_result_cell(result, i, 15);
		col->comment = ms_result_cell(result, i, 16);
		col->generation = ms_result_cell(result, i, 17);
		ms_source_column_parse_type(col);
		table->columns = lappend(table->columns, col);
	}
}

/* Does a consistent snapshot of the source cover the table? */
bool
ms_source_has_read_views(const MsSourceTable *table)
{
	static const char *const engines[] = {
		"InnoDB", "ROCKSDB", "TokuDB"
	};

	for (int i = 0; i < (int) lengthof(engines); i++)
		if (table->engine && pg_strcasecmp(table->engine, engines[i]) == 0)
			return true;
	return false;
}

static MsSourceColumn *
find_row_end(const MsSourceTable *table)
{
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		if (ms_source_column_is_row_end(lfirst(lc)))
			return lfirst(lc);
	}
	return NULL;
}

/* NULL if there is none.  Names of columns are compared without case. */
MsSourceColumn *
ms_source_find_column(const List *columns, const char *name)
{
	ListCell   *lc;

	foreach(lc, columns)
		if (pg_strcasecmp(((MsSourceColumn *) lfirst(lc))->name, name) == 0)
		return lfirst(lc);
	return NULL;
}

/* The same of indexes. */
MsSourceIndex *
ms_source_find_index(const MsSourceTable *table, const char *name)
{
	ListCell   *lc;

	foreach(lc, table->indexes)
		if (pg_strcasecmp(((MsSourceIndex *) lfirst(lc))->name, name) == 0)
		return lfirst(lc);
	return NULL;
}

/* And of foreign keys. */
MsSourceForeignKey *
ms_source_find_foreign_key(const MsSourceTable *table, const char *name)
{
	ListCell   *lc;

	foreach(lc, table->foreign_keys)
		if (pg_strcasecmp(((MsSourceForeignKey *) lfirst(lc))->name, name) == 0)
		return lfirst(lc);
	return NULL;
}

/* Does the foreign key refer to this table? */
bool
ms_source_refers_to(const MsSourceForeignKey *key, const char *db,
					const char *table)
{
	return strcmp(key->ref_db, db) == 0 && strcmp(key->ref_table, table) == 0;
}

/* What is not known is InnoDB. */
bool
ms_source_engine_is(const MsSourceTable *table, const char *name)
{
	return pg_strcasecmp(table->engine ? table->engine : "InnoDB", name) == 0;
}

/* It is JSON; check is the constraint's name, NULL if it has none. */
void
ms_source_set_json(MsSourceColumn *col, char *check)
{
	col->is_json = true;
	if (check && strcmp(check, col->name) != 0)
		col->json_check = check;
}

/* A period column that information_schema does not show. */
static MsSourceColumn *
implicit_period_column(const char *name, const char *generation)
{
	MsSourceColumn *col = palloc0(sizeof(MsSourceColumn));

	col->name = pstrdup(name);
	col->data_type = pstrdup("timestamp");
	col->column_type = pstrdup("timestamp(6)");
	col->fsp = 6;
	col->invisible = true;
	col->implicit = true;
	col->generated = true;
	col->generation = pstrdup(generation);
	return col;
}

bool
ms_source_is_versioned(const MsSourceTable *table)
{
	return table->table_type && strcmp(table->table_type, "SYSTEM VERSIONED") == 0;
}

/*
 * The binlog has the period's columns also where nobody has declared them:
 * behind all others, as long as the table is system-versioned.
 */
void
ms_source_place_period(MsSourceTable *table)
{
	List	   *columns = NIL;
	List	   *implicit = NIL;
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		MsSourceColumn *col = lfirst(lc);

		if (col->implicit)
			implicit = lappend(implicit, col);
		else
			columns = lappend(columns, col);
	}
	table->columns = columns;
	if (columns == NIL || !ms_source_is_versioned(table) || find_row_end(table))
		return;
	if (implicit == NIL)
		implicit = list_make2(implicit_period_column("row_start", "ROW START"),
							  implicit_period_column("row_end", "ROW END"));
	table->columns = list_concat(columns, implicit);
}

/*
 * Keys of a system-versioned table end with the period's end, so that they
 * have room for the history.  For current rows they are unique without it.
 */
static void
strip_row_ends(TableSet *set)
{
	for (int i = 0; i < set->count; i++)
	{
		MsSourceTable *table = set->tables[i];
		MsSourceColumn *row_end = find_row_end(table);
		ListCell   *lc;

		if (row_end == NULL)
			continue;
		foreach(lc, table->indexes)
		{
			MsSourceIndex *index = lfirst(lc);

			if (index->unique && list_length(index->columns) > 1 &&
				pg_strcasecmp(llast(index->columns), row_end->name) == 0)
				index->columns = list_truncate(index->columns,
											   list_length(index->columns) - 1);
		}
	}
}

/*
 * For subscriptions that have the history of system-versioned tables: their
 * periods are ordinary columns, and the end of one is part of each key.
 */
void
ms_source_keep_history(List *tables)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, tables)
	{
		MsSourceTable *table = lfirst(lc);
		MsSourceColumn *row_end = find_row_end(table);

		if (row_end == NULL)
			continue;
		foreach(lc2, table->columns)
		{
			MsSourceColumn *col = lfirst(lc2);

			if (ms_source_column_is_row_start(col) || col == row_end)
				col->invisible = false;
		}
		foreach(lc2, table->indexes)
		{
			MsSourceIndex *index = lfirst(lc2);
			bool		found = false;
			ListCell   *lc3;

			foreach(lc3, index->columns)
				found |= pg_strcasecmp(lfirst(lc3), row_end->name) == 0;
			if (index->unique && !found)
				index->columns = lappend(index->columns, row_end->name);
		}
	}
}

/* What follows the table's name in FROM: which of its rows are meant. */
const char *
ms_source_rows_clause(const List *columns, bool history)
{
	ListCell   *lc;

	foreach(lc, columns)
		if (history && ms_source_column_is_row_end(lfirst(lc)))
		return " FOR SYSTEM_TIME ALL";
	return "";
}

/* Does the character set have more than the Basic Multilingual Plane? */
static bool
has_supplementary_characters(const char *charset)
{
	return charset && (pg_strcasecmp(charset, "utf8mb4") == 0 ||
					   pg_strncasecmp(charset, "utf16", 5) == 0 ||
					   pg_strcasecmp(charset, "utf32") == 0);
}

/*
 * information_schema shows a question mark where a label of an ENUM or SET
 * has a character beyond the Basic Multilingual Plane.  Such labels are asked
 * for by their value, in a variable of the column's type.
 */
static void
fetch_labels(const Request *request, const MsSourceTable *table,
			 MsSourceColumn *col)
{
	bool		is_set = strcmp(col->data_type, "set") == 0;
	bool		found = false;
	ListCell   *lc;

	foreach(lc, col->labels)
	{
		int			n = foreach_current_index(lc);

		if (strchr(lfirst(lc), '?') == NULL)
			continue;
		found = true;
		ms_wire_exec(request->wire,
					 psprintf("BEGIN NOT ATOMIC DECLARE label TYPE OF %s.%s.%s;"
							  " SET label = " UINT64_FORMAT ";"
							  " SET @mariadb_sync_label = label; END",
							  ms_wire_quote_identifier(table->db),
							  ms_wire_quote_identifier(table->name),
							  ms_wire_quote_identifier(col->name),
							  is_set ? UINT64CONST(1) << n : (uint64) n + 1));
		lfirst(lc) = ms_wire_query_value(request->wire,
										 "SELECT @mariadb_sync_label");
	}
	if (found)
		ms_source_column_write_labels(col);
}

static void
fetch_all_labels(const Request *request, TableSet *set)
{
	for (int i = 0; i < set->count; i++)
	{
		MsSourceTable *table = set->tables[i];
		ListCell   *lc;

		if (table->select_denied)
			continue;
		foreach(lc, table->columns)
		{
			MsSourceColumn *col = lfirst(lc);

			if (col->labels && has_supplementary_characters(col->charset))
				fetch_labels(request, table, col);
		}
	}
}

/* MariaDB's JSON is a LONGTEXT with a check of its own making. */
static bool
mark_json_column(const MsSourceTable *table, const MsSourceCheck *check)
{
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		MsSourceColumn *col = lfirst(lc);

		if (strcmp(col->data_type, "longtext") == 0 &&
			pg_strcasecmp(check->clause, psprintf("json_valid(%s)",
												  ms_wire_quote_identifier(col->name))) == 0)
		{
			ms_source_set_json(col, check->name);
			return true;
		}
	}
	return false;
}

static void
fetch_checks(const Request *request, TableSet *set)
{
	MsResult   *result;

	result = query_view(request, "CHECK_CONSTRAINTS",
						"CONSTRAINT_NAME, CHECK_CLAUSE", "CONSTRAINT_SCHEMA",
						NULL, "CONSTRAINT_NAME");
	for (int i = 0; i < result->nrows; i++)
	{
		MsSourceTable *table = find_table(set, ms_result_cell(result, i, 0),
										  ms_result_cell(result, i, 1));
		MsSourceCheck *check;

		if (table == NULL)
			continue;
		check = palloc0(sizeof(MsSourceCheck));
		check->name = ms_result_cell(result, i, 2);
		check->clause = ms_result_cell(result, i, 3);
		if (mark_json_column(table, check))
			continue;
		table->checks = lappend(table->checks, check);
	}
}

static void
fetch_indexes(const Request *request, TableSet *set)
{
	MsResult   *result;

	result = query_view(request, "STATISTICS",
						"INDEX_NAME, COLUMN_NAME, NON_UNIQUE, SUB_PART, NULLABLE,"
						" INDEX_TYPE",
						"TABLE_SCHEMA", NULL, "INDEX_NAME, SEQ_IN_INDEX");
	for (int i = 0; i < result->nrows; i++)
	{
		MsSourceTable *table = find_table(set, ms_result_cell(result, i, 0),
										  ms_result_cell(result, i, 1));
		char	   *name = ms_result_cell(result, i, 2);
		MsSourceIndex *index;

		if (table == NULL)
			continue;
		index = ms_source_find_index(table, name);
		if (index == NULL)
		{
			index = palloc0(sizeof(MsSourceIndex));
			index->name = name;
			index->unique = cell_int(result, i, 4) == 0;
			index->type = ms_result_cell(result, i, 7);
			/* elsewhere a HASH stands for values too long for a BTREE */
			if (ms_source_engine_is(table, "MEMORY") &&
				pg_strcasecmp(index->type, "HASH") == 0)
				index->type = "BTREE";
			table->indexes = lappend(table->indexes, index);
		}
		index->columns = lappend(index->columns, ms_result_cell(result, i, 3));
		index->has_prefix |= ms_result_cell(result, i, 5) != NULL;
		index->prefixes = lappend_int(index->prefixes, cell_int(result, i, 5));
		index->nullable |= cell_is(result, i, 6, "YES");
	}
}

/*
 * The columns of foreign keys can be seen by who may read the table, their
 * rules only by who has some other privilege on it as well.  A key without
 * rules is left out and noted.
 */
static void
drop_hidden_foreign_keys(TableSet *set)
{
	for (int i = 0; i < set->count; i++)
	{
		MsSourceTable *table = set->tables[i];
		ListCell   *lc;

		foreach(lc, table->foreign_keys)
		{
			MsSourceForeignKey *key = lfirst(lc);

			if (key->update_rule && key->delete_rule)
				continue;
			table->foreign_keys_hidden = true;
			table->foreign_keys = foreach_delete_current(table->foreign_keys,
														 lc);
		}
	}
}

static void
fetch_foreign_key_columns(const Request *request, TableSet *set)
{
	MsResult   *result;

	result = query_view(request, "KEY_COLUMN_USAGE",
						"CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA,"
						" REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME",
						"TABLE_SCHEMA", "REFERENCED_TABLE_NAME IS NOT NULL",
						"CONSTRAINT_NAME, ORDINAL_POSITION");
	for (int i = 0; i < result->nrows; i++)
	{
		MsSourceTable *table = find_table(set, ms_result_cell(result, i, 0),
										  ms_result_cell(result, i, 1));
		char	   *name = ms_result_cell(result, i, 2);
		MsSourceForeignKey *key;

		if (table == NULL)
			continue;
		key = ms_source_find_foreign_key(table, name);
		if (key == NULL)
		{
			key = palloc0(sizeof(MsSourceForeignKey));
			key->name = name;
			key->ref_db = ms_result_cell(result, i, 4);
			key->ref_table = ms_result_cell(result, i, 5);
			table->foreign_keys = lappend(table->foreign_keys, key);
		}
		key->columns = lappend(key->columns, ms_result_cell(result, i, 3));
		key->ref_columns = lappend(key->ref_columns,
								   ms_result_cell(result, i, 6));
	}
}

static void
fetch_foreign_key_rules(const Request *request, TableSet *set)
{
	MsResult   *result;

	result = query_view(request, "REFERENTIAL_CONSTRAINTS",
						"CONSTRAINT_NAME, UPDATE_RULE, DELETE_RULE",
						"CONSTRAINT_SCHEMA", NULL, NULL);
	for (int i = 0; i < result->nrows; i++)
	{
		MsSourceTable *table = find_table(set, ms_result_cell(result, i, 0),
										  ms_result_cell(result, i, 1));

		MsSourceForeignKey *key;

		key = table ?
			ms_source_find_foreign_key(table, ms_result_cell(result, i, 2)) : NULL;
		if (key)
		{
			key->update_rule = ms_result_cell(result, i, 3);
			key->delete_rule = ms_result_cell(result, i, 4);
		}
	}
}

/*
 * The tables that the patterns choose, ordered by name; with db and table the
 * one of that name, whatever the patterns.  Views and the server's own
 * databases are never among them.  Results live in the current context.
 */
List *
ms_remote_schema_fetch(MsWire *wire, List *patterns, const char *db,
					   const char *table)
{
	Request		request = {wire, patterns, db, table};
	TableSet	set = {0};
	List	   *result = NIL;

	fetch_tables(&request, &set);
	if (set.count == 0)
		return NIL;
	fetch_columns(&request, &set);
	for (int i = 0; i < set.count; i++)
		ms_source_place_period(set.tables[i]);
	fetch_all_labels(&request, &set);
	fetch_checks(&request, &set);
	fetch_indexes(&request, &set);
	strip_row_ends(&set);
	fetch_foreign_key_columns(&request, &set);
	fetch_foreign_key_rules(&request, &set);
	drop_hidden_foreign_keys(&set);

	for (int i = 0; i < set.count; i++)
		result = lappend(result, set.tables[i]);
	return result;
}

/*
 * The columns of one table as they are now, a List of MsSourceColumn *; NIL
 * when there is no such table.
 */
List *
ms_remote_schema_fetch_columns(MsWire *wire, const char *db, const char *table)
{
	Request		request = {wire, NIL, db, table};
	TableSet	set = {0};
	MsSourceTable *found = palloc0(sizeof(MsSourceTable));

	found->db = pstrdup(db);
	found->name = pstrdup(table);
	set.tables = &found;
	set.count = 1;
	fetch_columns(&request, &set);
	fetch_all_labels(&request, &set);
	fetch_checks(&request, &set);
	return found->columns;
}

/*
 * The index that names a row: the primary key, else a unique index that has
 * no NULLs and covers whole values.  NULL when there is none.
 */
MsSourceIndex *
ms_source_table_key(const MsSourceTable *table)
{
	ListCell   *lc;
	MsSourceIndex *primary = ms_source_find_index(table, "PRIMARY");

	if (primary)
		return primary;
	foreach(lc, table->indexes)
	{
		MsSourceIndex *index = lfirst(lc);

		if (index->unique && !index->nullable && !index->has_prefix &&
			pg_strcasecmp(index->type, "BTREE") == 0)
			return index;
	}
	return NULL;
}

static bool
changes_rows(const char *rule)
{
	/* InnoDB takes SET DEFAULT for RESTRICT */
	return pg_strcasecmp(rule, "CASCADE") == 0 ||
		pg_strcasecmp(rule, "SET NULL") == 0;
}

/* Does the foreign key change rows when those that it refers to change? */
bool
ms_source_foreign_key_acts(const MsSourceForeignKey *key)
{
	return changes_rows(key->delete_rule) || changes_rows(key->update_rule);
}
