/*
 * ddl_model.c - a recorded schema, changed by a statement.
 *
 * Does to a model of the table what MariaDB does to the table: schema times
 * statement gives schema.  Knows nothing of PostgreSQL.  What the model has no
 * answer for is said, so that the source can be asked.
 *
 * Each column of the new model remembers which one of the old it was, so that
 * a rename is told from a drop and an add.
 */
#include "postgres.h"

#include "ddl_charset.h"
#include "ddl_engine.h"
#include "ddl_keys.h"
#include "ddl_model.h"
#include "ddl_token.h"
#include "typemap.h"

/* ------------------------------------------------------------------------
 * Finding
 * ------------------------------------------------------------------------
 */

/*
 * The column that had the name when the statement began: all its clauses
 * speak of that table.
 */
static MsSourceColumn *
find_old_column(const MsSourceTable *table, const char *name)
{
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		MsSourceColumn *col = lfirst(lc);

		if (col->was && pg_strcasecmp(col->was->name, name) == 0)
			return col;
	}
	return NULL;
}

static MsSourceCheck *
find_check(const MsSourceTable *table, const char *name)
{
	ListCell   *lc;

	foreach(lc, table->checks)
	{
		MsSourceCheck *check = lfirst(lc);

		if (check->name && pg_strcasecmp(check->name, name) == 0)
			return check;
	}
	return NULL;
}

static void
drop_check(MsSourceTable *table, const char *name)
{
	MsSourceCheck *check = find_check(table, name);

	if (check)
		table->checks = list_delete_ptr(table->checks, check);
}

static void
set_unknown(MsModelChange *change, char *what)
{
	if (change->unknown == NULL)
		change->unknown = what;
}

/* ------------------------------------------------------------------------
 * Columns
 * ------------------------------------------------------------------------
 */

/* A list without the item, then with it where the clause wants it. */
static bool
place_column(MsSourceTable *table, MsSourceColumn *col, const MsClause *clause,
			 int otherwise)
{
	int			at = otherwise;

	if (clause->first)
		at = 0;
	else if (clause->after)
	{
		MsSourceColumn *before = ms_source_find_column(table->columns, clause->after);

		/* or by the name that it had */
		if (before == NULL)
			before = find_old_column(table, clause->after);
		if (before == NULL)
			return false;
		at = 0;
		while (list_nth(table->columns, at) != before)
			at++;
		at++;
	}
	table->columns = list_insert_nth(table->columns, at, col);
	return true;
}

/* The character set that the statement gives a column. */
static void
set_charset(const MsSourceTable *table, MsSourceColumn *col,
			const MsModelChange *change)
{
	if (change->converts &&
		!(col->charset && pg_strcasecmp(col->charset, "binary") == 0))
		col->charset = col->collation = NULL;
	ms_ddl_set_column_charset(col, table->collation);
}

static void
add_column(MsSourceTable *table, const MsClause *clause, MsModelChange *change)
{
	MsSourceColumn *col = clause->column;
	MsSourceColumn *old = ms_source_find_column(table->columns, col->name);

	if (old)
	{
		if (!clause->if_exists)
			set_unknown(change, psprintf("ADD COLUMN %s", col->name));
		return;
	}
	set_charset(table, col, change);
	if (!place_column(table, col, clause, list_length(table->columns)))
		set_unknown(change, psprintf("AFTER %s", clause->after));
}

/*
 * An expression with the names that its columns have in the table, or had
 * before the statement.  *mentioned tells whether one of them is col.
 */
static char *
name_columns(const char *expression, const MsSourceColumn *col,
			 const MsSourceTable *table, bool *mentioned)
{
	MsScanner	s;
	StringInfoData buf;
	const char *copied = expression;

	initStringInfo(&buf);
	ms_token_begin(&s, expression, strlen(expression), 0);
	while (s.kind != MS_TOKEN_END)
	{
		MsTokenKind kind = s.kind;
		const char *start = s.start;
		char	   *name = ms_token_name(&s);
		const MsSourceColumn *found = NULL;

		if (name == NULL)
		{
			ms_token_next(&s);
			continue;
		}
		/* a function */
		if (kind == MS_TOKEN_WORD && s.kind == MS_TOKEN_PUNCT && s.punct == '(')
			continue;
		if (col && pg_strcasecmp(col->name, name) == 0)
			*mentioned = true;
		if (table)
			found = find_old_column(table, name);
		if (table && found == NULL)
			found = ms_source_find_column(table->columns, name);
		if (found == NULL)
			continue;
		appendBinaryStringInfo(&buf, copied, start - copied);
		ms_parse_quote_name(&buf, found->name);
		copied = s.previous_end;
	}
	appendStringInfoString(&buf, copied);
	return buf.data;
}

static void
rename_columns(const MsSourceTable *table, List *names)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		MsSourceColumn *col = find_old_column(table, lfirst(lc));

		if (col)
			lfirst(lc) = col->name;
	}
}

/*
 * Names in indexes and foreign keys are those of before the statement until
 * it has been applied, see ms_model_apply().
 */
static void
rename_everywhere(MsSourceTable *table)
{
	ListCell   *lc;

	foreach(lc, table->indexes)
		rename_columns(table, ((MsSourceIndex *) lfirst(lc))->columns);
	foreach(lc, table->foreign_keys)
	{
		MsSourceForeignKey *fk = lfirst(lc);

		rename_columns(table, fk->columns);
		if (ms_source_refers_to(fk, table->db, table->name))
			rename_columns(table, fk->ref_columns);
	}
	foreach(lc, table->checks)
	{
		MsSourceCheck *check = lfirst(lc);

		check->clause = name_columns(check->clause, NULL, table, NULL);
	}
}

static bool
has_part(const MsSourceIndex *index, const char *name)
{
	ListCell   *lc;

	foreach(lc, index->columns)
		if (pg_strcasecmp(lfirst(lc), name) == 0)
		return true;
	return false;
}

static void
change_column(MsSourceTable *table, const MsClause *clause,
			  MsModelChange *change)
{
	MsSourceColumn *old = find_old_column(table, clause->name);
	MsSourceColumn *col = clause->column;
	MsSourceIndex *primary = ms_source_find_index(table, "PRIMARY");
	int			at = 0;
	ListCell   *lc;

	if (old == NULL)
	{
		if (!clause->if_exists)
			set_unknown(change, psprintf("column %s", clause->name));
		return;
	}
	while (list_nth(table->columns, at) != old)
		at++;
	table->columns = list_delete_nth_cell(table->columns, at);
	col->was = old->was;
	drop_check(table, clause->name);
	/* the name may be written in another way than the column has it */
	if (clause->name == col->name)
		col->name = old->name;
	set_charset(table, col, change);
	foreach(lc, primary ? primary->columns : NIL)
		if (pg_strcasecmp(lfirst(lc), clause->name) == 0)
		col->nullable = false;
	if (!place_column(table, col, clause, at))
		set_unknown(change, psprintf("AFTER %s", clause->after));
}

static void
drop_column(MsSourceTable *table, const MsClause *clause,
			MsModelChange *change)
{
	MsSourceColumn *old = find_old_column(table, clause->name);
	ListCell   *lc;

	if (old == NULL)
	{
		if (!clause->if_exists)
			set_unknown(change, psprintf("DROP COLUMN %s", clause->name));
		return;
	}
	table->columns = list_delete_ptr(table->columns, old);
	foreach(lc, table->indexes)
	{
		MsSourceIndex *index = lfirst(lc);

		for (int i = list_length(index->columns); i-- > 0;)
		{
			if (pg_strcasecmp(list_nth(index->columns, i), clause->name) != 0)
				continue;
			index->columns = list_delete_nth_cell(index->columns, i);
			if (i < list_length(index->prefixes))
				index->prefixes = list_delete_nth_cell(index->prefixes, i);
		}
		if (index->columns == NIL)
			table->indexes = foreach_delete_current(table->indexes, lc);
	}
	/* MariaDB keeps none that speaks of it */
	foreach(lc, table->checks)
	{
		MsSourceCheck *check = lfirst(lc);
		bool		mentioned = false;

		(void) name_columns(check->clause, old, NULL, &mentioned);
		if (mentioned || pg_strcasecmp(check->name, clause->name) == 0)
			table->checks = foreach_delete_current(table->checks, lc);
	}
}

/* ------------------------------------------------------------------------
 * Keys
 * ------------------------------------------------------------------------
 */

/* MariaDB names an index after its first column. */
static char *
choose_index_name(const MsSourceTable *table, const MsSourceIndex *index)
{
	char	   *base = linitial(index->columns);
	char	   *name = base;

	for (int n = 2; ms_source_find_index(table, name) || strcmp(name, "PRIMARY") == 0; n++)
		name = psprintf("%s_%d", base, n);
	return name;
}

static void
add_index(MsSourceTable *table, const MsClause *clause, MsModelChange *change)
{
	MsSourceIndex *index = clause->index;
	ListCell   *lc;

	if (index->name && ms_source_find_index(table, index->name))
	{
		if (!clause->if_exists)
			set_unknown(change, psprintf("index %s", index->name));
		return;
	}
	index->prefixes = clause->prefixes;
	foreach(lc, index->columns)
	{
		MsSourceColumn *col = ms_source_find_column(table->columns, lfirst(lc));

		if (col == NULL)
		{
			set_unknown(change, psprintf("key column %s", (char *) lfirst(lc)));
			return;
		}
		lfirst(lc) = col->name;
		if (index->name && strcmp(index->name, "PRIMARY") == 0)
			col->nullable = false;
	}
	if (index->name == NULL)
		index->name = choose_index_name(table, index);
	table->indexes = lappend(table->indexes, index);
}

static void
drop_index(MsSourceTable *table, const char *name)
{
	MsSourceIndex *index = ms_source_find_index(table, name);

	if (index)
		table->indexes = list_delete_ptr(table->indexes, index);
}

/* The names may be written in another way than the columns have them. */
static void
name_as_columns(List *names, const List *columns)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		MsSourceColumn *col = ms_source_find_column(columns, lfirst(lc));

		if (col)
			lfirst(lc) = col->name;
	}
}

/* Of foreign keys to another table, whose model is parent. */
void
ms_model_name_references(MsSourceTable *table, const MsSourceTable *parent)
{
	ListCell   *lc;

	foreach(lc, table->foreign_keys)
	{
		MsSourceForeignKey *fk = lfirst(lc);

		if (ms_source_refers_to(fk, parent->db, parent->name))
			name_as_columns(fk->ref_columns, parent->columns);
	}
}

/* The highest number in the name of a foreign key that MariaDB has named. */
static int
last_foreign_key(const MsSourceTable *table)
{
	char	   *prefix = psprintf("%s_ibfk_", table->name ? table->name : "");
	int			last = 0;
	ListCell   *lc;

	foreach(lc, table->foreign_keys)
	{
		const char *name = ((MsSourceForeignKey *) lfirst(lc))->name;

		if (strncmp(name, prefix, strlen(prefix)) == 0)
			last = Max(last, atoi(name + strlen(prefix)));
	}
	return last;
}

static void
add_foreign_key(MsSourceTable *table, const MsClause *clause,
				MsModelChange *change)
{
	MsSourceForeignKey *fk = clause->foreign_key;

	if (fk->name && ms_source_find_foreign_key(table, fk->name))
		return;
	if (fk->ref_db == NULL)
		fk->ref_db = change->new_name ? change->new_name->db : table->db;
	if (list_length(fk->columns) != list_length(fk->ref_columns))
	{
		set_unknown(change, psprintf("REFERENCES %s", fk->ref_table));
		return;
	}
	name_as_columns(fk->columns, table->columns);
	if (fk->name == NULL)
		fk->name = psprintf("%s_ibfk_%d", table->name, ++change->last_foreign_key);
	table->foreign_keys = lappend(table->foreign_keys, fk);
	ms_model_name_references(table, table);
}

/* Do the index's first columns find the rows of the foreign key? */
static bool
index_serves(const MsSourceIndex *index, const MsSourceForeignKey *fk)
{
	ListCell   *lc;
	ListCell   *lc2;

	if (pg_strcasecmp(index->type, "BTREE") != 0 || index->has_prefix ||
		list_length(index->columns) < list_length(fk->columns))
		return false;
	forboth(lc, fk->columns, lc2, index->columns)
		if (pg_strcasecmp(lfirst(lc), lfirst(lc2)) != 0)
		return false;
	return true;
}

/* MariaDB makes the index that a foreign key needs if there is none. */
static void
add_indexes_of_foreign_keys(MsSourceTable *table)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, table->foreign_keys)
	{
		const MsSourceForeignKey *fk = lfirst(lc);
		MsSourceIndex *index;
		bool		served = false;

		foreach(lc2, table->indexes)
			served |= index_serves(lfirst(lc2), fk);
		if (served)
			continue;
		index = palloc0(sizeof(MsSourceIndex));
		index->type = "BTREE";
		index->columns = list_copy(fk->columns);
		index->name = strstr(fk->name, "_ibfk_") || ms_source_find_index(table, fk->name) ?
			choose_index_name(table, index) : fk->name;
		table->indexes = lappend(table->indexes, index);
	}
}

/* One that is not known by this name may be known by another. */
static void
drop_foreign_key(MsSourceTable *table, const MsClause *clause,
				 MsModelChange *change)
{
	MsSourceForeignKey *fk = ms_source_find_foreign_key(table, clause->name);

	if (fk)
		table->foreign_keys = list_delete_ptr(table->foreign_keys, fk);
	else if (!clause->if_exists && table->foreign_keys != NIL)
		set_unknown(change, psprintf("foreign key %s", clause->name));
}

static void
drop_constraint(MsSourceTable *table, const MsClause *clause,
				MsModelChange *change)
{
	const char *name = clause->name;
	ListCell   *lc;

	if (ms_source_find_foreign_key(table, name))
		drop_foreign_key(table, clause, change);
	else if (find_check(table, name))
		drop_check(table, name);
	else if (ms_source_find_index(table, name))
		drop_index(table, name);
	else
	{
		foreach(lc, table->columns)
		{
			MsSourceColumn *col = lfirst(lc);

			if (col->json_check && pg_strcasecmp(col->json_check, name) == 0)
			{
				col->is_json = false;
				col->json_check = NULL;
			}
		}
	}
}

/* JSON is a LONGTEXT with a check: CHECK (json_valid(column)). */
static MsSourceColumn *
find_json(const MsSourceTable *table, const char *check)
{
	MsSourceColumn *col = NULL;
	MsScanner	s;

	ms_token_begin(&s, check, strlen(check), 0);
	if (ms_token_accept(&s, "JSON_VALID") && ms_token_accept_punct(&s, '('))
	{
		char	   *name = ms_token_name(&s);

		if (name && ms_token_accept_punct(&s, ')') && s.kind == MS_TOKEN_END)
			col = ms_source_find_column(table->columns, name);
	}
	return col && strcmp(col->data_type, "longtext") == 0 ? col : NULL;
}

static void
add_check(MsSourceTable *table, const MsClause *clause)
{
	MsSourceColumn *json = find_json(table, clause->check->clause);

	if (json)
	{
		ms_source_set_json(json, clause->check->name);
		return;
	}
	clause->check->clause = name_columns(clause->check->clause, NULL, table, NULL);
	for (int n = 1; clause->check->name == NULL; n++)
	{
		char	   *name = psprintf("CONSTRAINT_%d", n);

		if (find_check(table, name) == NULL)
			clause->check->name = name;
	}
	if (find_check(table, clause->check->name) == NULL)
		table->checks = lappend(table->checks, clause->check);
}

/* ------------------------------------------------------------------------
 * The statement
 * ------------------------------------------------------------------------
 */

static bool
has_period(const MsSourceTable *table)
{
	ListCell   *lc;

	foreach(lc, table->columns)
		if (ms_source_column_is_row_end(lfirst(lc)))
		return true;
	return false;
}

static void
apply_clause(MsSourceTable *table, MsClause *clause, MsModelChange *change)
{
	MsSourceColumn *col;

	switch (clause->kind)
	{
		case MS_CLAUSE_ADD_COLUMN:
			add_column(table, clause, change);
			break;
		case MS_CLAUSE_CHANGE_COLUMN:
			change_column(table, clause, change);
			break;
		case MS_CLAUSE_DROP_COLUMN:
			drop_column(table, clause, change);
			break;
		case MS_CLAUSE_RENAME_COLUMN:
		case MS_CLAUSE_SET_DEFAULT:
			col = find_old_column(table, clause->name);
			if (col == NULL)
			{
				if (!clause->if_exists)
					set_unknown(change, psprintf("column %s", clause->name));
			}
			else if (clause->kind == MS_CLAUSE_RENAME_COLUMN)
				col->name = clause->new_name;
			else
				col->default_text = clause->column->default_text;
			break;
		case MS_CLAUSE_ADD_INDEX:
			add_index(table, clause, change);
			break;
		case MS_CLAUSE_DROP_INDEX:
			drop_index(table, clause->name);
			break;
		case MS_CLAUSE_RENAME_INDEX:
			if (clause->index)
				clause->index->name = clause->new_name;
			break;
		case MS_CLAUSE_ADD_FOREIGN_KEY:
			add_foreign_key(table, clause, change);
			break;
		case MS_CLAUSE_DROP_FOREIGN_KEY:
			drop_foreign_key(table, clause, change);
			break;
		case MS_CLAUSE_DROP_CONSTRAINT:
			drop_constraint(table, clause, change);
			break;
		case MS_CLAUSE_ADD_CHECK:
			add_check(table, clause);
			break;
		case MS_CLAUSE_RENAME_TABLE:
			change->new_name = clause->table;
			break;
		case MS_CLAUSE_CONVERT_CHARSET:
		case MS_CLAUSE_TABLE_CHARSET:
			/* the database's, which a new table begins with */
			if (clause->charset && table->columns != NIL &&
				pg_strcasecmp(clause->charset, "DEFAULT") == 0)
				set_unknown(change, "CHARACTER SET DEFAULT");
			if (clause->kind == MS_CLAUSE_CONVERT_CHARSET)
			{
				ms_ddl_convert_charset(table, clause);
				change->converts = true;
			}
			else
			{
				ms_ddl_resolve_charset(&clause->charset, &clause->collation,
									   table->collation);
				table->collation = clause->collation;
			}
			break;
		case MS_CLAUSE_COMMENT:
			table->comment = clause->name;
			break;
		case MS_CLAUSE_ENGINE:
			/* one that the source does not have changes nothing */
			if (ms_engine_name(clause->name))
				table->engine = pstrdup(ms_engine_name(clause->name));
			break;
		case MS_CLAUSE_PARTITION:
			table->partitioned = clause->flag;
			break;
		case MS_CLAUSE_VERSIONING:
			table->table_type = clause->flag ? "SYSTEM VERSIONED" : "BASE TABLE";
			ms_source_place_period(table);
			/* what becomes of a period that was declared? */
			if (!clause->flag && has_period(table))
				set_unknown(change, "DROP SYSTEM VERSIONING");
			break;
		case MS_CLAUSE_CHANGES_ROWS:
			change->rows_changed = clause->name;
			break;
		case MS_CLAUSE_UNKNOWN:
			set_unknown(change, clause->name);
			break;
	}
}

/*
 * In which order clauses work, whatever the order they are written in: what
 * goes makes room for what comes, and keys name columns of the new table.
 */
static int
clause_rank(const MsClause *clause)
{
	switch (clause->kind)
	{
		case MS_CLAUSE_TABLE_CHARSET:
			return 0;
		case MS_CLAUSE_DROP_INDEX:
		case MS_CLAUSE_DROP_FOREIGN_KEY:
		case MS_CLAUSE_DROP_CONSTRAINT:
		case MS_CLAUSE_DROP_COLUMN:
			return 1;
		case MS_CLAUSE_CONVERT_CHARSET:
			return 2;
		case MS_CLAUSE_ADD_INDEX:
		case MS_CLAUSE_ADD_FOREIGN_KEY:
		case MS_CLAUSE_ADD_CHECK:
			return 4;
		default:
			return 3;
	}
}

/* A NULL in one of its columns makes a unique index no key. */
static void
recompute_nullable(MsSourceTable *table)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, table->indexes)
	{
		MsSourceIndex *index = lfirst(lc);

		index->nullable = false;
		foreach(lc2, index->columns)
		{
			MsSourceColumn *col = ms_source_find_column(table->columns, lfirst(lc2));

			index->nullable |= col && col->nullable;
		}
	}
}

/*
 * With explicit_defaults_for_timestamp = 0 a TIMESTAMP that is not declared
 * NULL is NOT NULL, and without a default the table's first one gets the time
 * of every change, whichever statement has made it; others a zero.
 */
static void
fill_in_timestamps(MsSourceTable *table, const MsDdl *ddl)
{
	bool		is_first = true;
	ListCell   *lc;

	foreach(lc, ddl->clauses)
	{
		MsSourceColumn *col = ((MsClause *) lfirst(lc))->column;

		if (col && col->data_type && strcmp(col->data_type, "timestamp") == 0 &&
			!col->declared_null && !col->generated)
			col->nullable = false;
	}
	foreach(lc, table->columns)
	{
		MsSourceColumn *col = lfirst(lc);
		bool		named = false;
		ListCell   *lc2;

		if (strcmp(col->data_type, "timestamp") != 0)
			continue;
		foreach(lc2, ddl->clauses)
			named |= ((MsClause *) lfirst(lc2))->column == col;
		if (col->nullable || col->default_text || col->on_update_now ||
			col->generated)
			;
		else if (is_first)
		{
			col->default_text = col->fsp > 0 ?
				psprintf("current_timestamp(%d)", col->fsp) : "current_timestamp()";
			col->on_update_now = true;
		}
		else if (named)
			col->default_text = "'0000-00-00 00:00:00'";
		is_first = false;
	}
}

/*
 * A column that goes while another of its name comes leaves its place in keys
 * to that one, or a part of it.
 */
static void
check_replaced(const MsSourceTable *table, const MsDdl *ddl,
			   MsModelChange *change)
{
	ListCell   *lc;
	ListCell   *lc2;
	ListCell   *lc3;

	foreach(lc, ddl->clauses)
	{
		const MsClause *gone = lfirst(lc);

		if (gone->kind != MS_CLAUSE_DROP_COLUMN)
			continue;
		foreach(lc2, ddl->clauses)
		{
			const MsClause *added = lfirst(lc2);

			if (added->kind != MS_CLAUSE_ADD_COLUMN ||
				pg_strcasecmp(added->column->name, gone->name) != 0)
				continue;
			foreach(lc3, table->indexes)
				if (has_part(lfirst(lc3), gone->name))
				set_unknown(change, psprintf("DROP COLUMN %s, ADD COLUMN %s",
											 gone->name, gone->name));
		}
	}
}

/*
 * A copy of the recorded schema, to be changed: its columns know which ones
 * of old they are.
 */
MsSourceTable *
ms_model_follow(Jsonb *schema, MsSourceTable *old)
{
	MsSourceTable *table = ms_source_table_from_jsonb(schema);
	ListCell   *lc;
	ListCell   *lc2;

	table->db = old->db;
	table->name = old->name;
	forboth(lc, table->columns, lc2, old->columns)
		((MsSourceColumn *) lfirst(lc))->was = lfirst(lc2);
	return table;
}

/*
 * Change the table as the statement says.  It is of no use when *change says
 * that something was not understood.
 */
void
ms_model_apply(MsSourceTable *table, const MsDdl *ddl, MsModelChange *change)
{
	ListCell   *lc;
	bool		keys = false;

	memset(change, 0, sizeof(*change));
	change->last_foreign_key = last_foreign_key(table);
	check_replaced(table, ddl, change);
	ms_ddl_forget_hashes(table);
	foreach(lc, ddl->clauses)
	{
		MsClause   *clause = lfirst(lc);

		/* several may exchange their names */
		if (clause->kind == MS_CLAUSE_RENAME_INDEX)
			clause->index = ms_source_find_index(table, clause->name);
	}
	for (int rank = 0; rank <= 4; rank++)
	{
		foreach(lc, ddl->clauses)
		{
			MsClause   *clause = lfirst(lc);

			if (clause_rank(clause) != rank)
				continue;
			if (rank == 4 && !keys)
			{
				rename_everywhere(table);
				keys = true;
			}
			apply_clause(table, clause, change);
		}
	}
	if (!keys)
		rename_everywhere(table);
	if (ddl->implicit_timestamps)
		fill_in_timestamps(table, ddl);
	ms_ddl_fit_keys(table);
	if (ms_source_engine_is(table, "MEMORY"))
		ms_ddl_forget_hashes(table);	/* there they are whole */
	add_indexes_of_foreign_keys(table);
	/* other engines take them and forget them */
	if (!ms_source_engine_is(table, "InnoDB"))
		table->foreign_keys = NIL;
	/* when MariaDB copies the table the old name goes, and keys go with it */
	change->may_lose_keys = change->new_name && list_length(ddl->clauses) > 1;
	if (change->may_lose_keys && table->foreign_keys != NIL)
		set_unknown(change, psprintf("RENAME %s", change->new_name->table));
	recompute_nullable(table);
	ms_source_place_period(table);
	if (ddl->ignore && change->rows_changed == NULL)
		change->rows_changed = "ALTER IGNORE may have dropped rows";
}
