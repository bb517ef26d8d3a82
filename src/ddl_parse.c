/*
 * ddl_parse.c - what a statement changes of a table, clause by clause.
 *
 * Reads CREATE TABLE, ALTER TABLE, CREATE INDEX and DROP INDEX into a list of
 * clauses.  A pure function over text: it knows no catalogs and not the table
 * that is meant.  What it does not understand becomes a clause that says so,
 * never a guess; columns are read by ddl_parse_column.c.
 */
#include "postgres.h"

#include <ctype.h>

#include "ddl_parse.h"
#include "ddl_parse_internal.h"

/* ------------------------------------------------------------------------
 * Tools
 * ------------------------------------------------------------------------
 */

MsClause *
ms_parse_add(MsParser *parser, MsClauseKind kind)
{
	MsClause   *clause = palloc0(sizeof(MsClause));

	clause->kind = kind;
	parser->ddl->clauses = lappend(parser->ddl->clauses, clause);
	return clause;
}

/* Text between two places, without blanks around it. */
char *
ms_parse_text(const char *start, const char *end)
{
	while (start < end && isspace((unsigned char) *start))
		start++;
	while (end > start && isspace((unsigned char) end[-1]))
		end--;
	return pnstrdup(start, end - start);
}

static bool
at_clause_end(const MsScanner *s)
{
	return s->kind == MS_TOKEN_END ||
		(s->kind == MS_TOKEN_PUNCT && (s->punct == ',' || s->punct == ')' ||
									   s->punct == ';'));
}

/* Step to the end of the clause; what was skipped, from start on, is unknown. */
void
ms_parse_unknown(MsParser *parser, const char *start)
{
	MsScanner  *s = &parser->scanner;

	while (!at_clause_end(s))
		ms_token_skip(s);
	ms_parse_add(parser, MS_CLAUSE_UNKNOWN)->name =
		ms_parse_text(start, s->kind == MS_TOKEN_END ? s->end : s->start);
}

/* [db.]table, or .table; NULL when there is none. */
static MsTableName *
parse_table_name(MsParser *parser, const char *default_db)
{
	MsScanner  *s = &parser->scanner;
	MsTableName *name = palloc0(sizeof(MsTableName));

	(void) ms_token_accept_punct(s, '.');
	return ms_token_table(s, default_db, &name->db, &name->table) ? name : NULL;
}

/* (name [(length)] [ASC | DESC], ...) */
static bool
parse_key_parts(MsParser *parser, List **columns, List **prefixes)
{
	MsScanner  *s = &parser->scanner;

	if (!ms_token_accept_punct(s, '('))
		return false;
	do
	{
		char	   *name = ms_token_name(s);
		int			prefix = 0;

		if (name == NULL)
			return false;
		if (ms_token_accept_punct(s, '('))
		{
			if (s->text == NULL)
				return false;
			prefix = atoi(s->text);
			ms_token_next(s);
			if (!ms_token_accept_punct(s, ')'))
				return false;
		}
		if (!ms_token_accept(s, "ASC"))
			(void) ms_token_accept(s, "DESC");
		*columns = lappend(*columns, name);
		*prefixes = lappend_int(*prefixes, prefix);
	} while (ms_token_accept_punct(s, ','));
	return ms_token_accept_punct(s, ')');
}

/* ------------------------------------------------------------------------
 * Keys and constraints
 * ------------------------------------------------------------------------
 */

static char *
parse_rule(MsScanner *s)
{
	if (ms_token_accept(s, "CASCADE"))
		return "CASCADE";
	if (ms_token_accept(s, "RESTRICT"))
		return "RESTRICT";
	if (ms_token_accept(s, "NO"))
		return ms_token_accept(s, "ACTION") ? "NO ACTION" : NULL;
	if (ms_token_accept(s, "SET"))
	{
		if (ms_token_accept(s, "NULL"))
			return "SET NULL";
		return ms_token_accept(s, "DEFAULT") ? "SET DEFAULT" : NULL;
	}
	return NULL;
}

/*
 * REFERENCES table (columns) [MATCH ...] [ON DELETE ...] [ON UPDATE ...]
 *
 * A table without a database is in the one of the table that refers to it,
 * whatever the default database is.
 */
bool
ms_parse_references(MsParser *parser, MsSourceForeignKey *fk)
{
	MsScanner  *s = &parser->scanner;
	MsTableName *name;
	List	   *prefixes = NIL;

	if (!ms_token_accept(s, "REFERENCES"))
		return false;
	name = parse_table_name(parser, NULL);
	if (name == NULL)
		return false;
	fk->ref_db = name->db;
	fk->ref_table = name->table;
	if (s->kind == MS_TOKEN_PUNCT && s->punct == '(' &&
		!parse_key_parts(parser, &fk->ref_columns, &prefixes))
		return false;
	fk->update_rule = fk->delete_rule = "RESTRICT";
	for (;;)
	{
		if (ms_token_accept(s, "MATCH"))
			ms_token_next(s);
		else if (ms_token_accept(s, "ON"))
		{
			bool		is_delete = ms_token_accept(s, "DELETE");
			char	   *rule;

			if (!is_delete && !ms_token_accept(s, "UPDATE"))
				return false;
			rule = parse_rule(s);
			if (rule == NULL)
				return false;
			if (is_delete)
				fk->delete_rule = rule;
			else
				fk->update_rule = rule;
		}
		else
			return true;
	}
}

/* What may stand around the parts of a key.  Nothing of it matters here. */
static char *
parse_index_options(MsScanner *s)
{
	char	   *type = NULL;

	for (;;)
	{
		if (ms_token_accept(s, "USING") || ms_token_accept(s, "TYPE"))
		{
			if (s->text)
				type = s->text;
			ms_token_next(s);
		}
		else if (ms_token_is(s, "KEY_BLOCK_SIZE") || ms_token_is(s, "COMMENT") ||
				 ms_token_is(s, "CLUSTERING"))
		{
			ms_token_next(s);
			(void) ms_token_accept_punct(s, '=');
			ms_token_next(s);
		}
		else if (ms_token_accept(s, "WITH"))
		{
			(void) ms_token_accept(s, "PARSER");
			ms_token_next(s);
		}
		else if (!ms_token_accept(s, "IGNORED") && !ms_token_accept(s, "VISIBLE"))
		{
			if (!ms_token_is(s, "NOT"))
				return type;
			ms_token_next(s);
			(void) ms_token_accept(s, "IGNORED");
		}
	}
}

/* Behind the words that say which kind of key it is. */
static bool
parse_index(MsParser *parser, char *name, const char *type, bool unique)
{
	MsScanner  *s = &parser->scanner;
	MsClause   *clause;
	MsSourceIndex *index = palloc0(sizeof(MsSourceIndex));
	List	   *prefixes = NIL;
	bool		if_not_exists = ms_token_accept_if_exists(s);
	char	   *using;

	if (!(s->kind == MS_TOKEN_PUNCT) && !ms_token_is(s, "USING"))
	{
		char	   *own = ms_token_name(s);

		/* wins over the constraint's */
		if (own && !(name && strcmp(name, "PRIMARY") == 0))
			name = own;
	}
	using = parse_index_options(s);
	if (parser->is_create_index)
	{
		if (!ms_token_accept(s, "ON") ||
			parse_table_name(parser, parser->default_db) == NULL)
			return false;
	}
	if (!parse_key_parts(parser, &index->columns, &prefixes))
		return false;
	index->name = name;
	index->type = pstrdup(type);
	index->unique = unique;
	for (char *after = parse_index_options(s); after; after = NULL)
		using = after;
	/* others than unique ones are of type BTREE all the same */
	if (using && pg_strcasecmp(using, "HASH") == 0 && unique &&
		!(name && strcmp(name, "PRIMARY") == 0))
		index->type = "HASH";
	clause = ms_parse_add(parser, MS_CLAUSE_ADD_INDEX);
	clause->index = index;
	clause->prefixes = prefixes;
	clause->if_exists = if_not_exists;
	return true;
}

static bool
parse_foreign_key(MsParser *parser, char *name)
{
	MsScanner  *s = &parser->scanner;
	MsSourceForeignKey *fk = palloc0(sizeof(MsSourceForeignKey));
	List	   *prefixes = NIL;
	MsClause   *clause;
	bool		if_not_exists = ms_token_accept_if_exists(s);

	fk->name = name;
	if (!(s->kind == MS_TOKEN_PUNCT))
	{
		char	   *own = ms_token_name(s);

		if (fk->name == NULL)
			fk->name = own;
	}
	if (!parse_key_parts(parser, &fk->columns, &prefixes) ||
		!ms_parse_references(parser, fk))
		return false;
	clause = ms_parse_add(parser, MS_CLAUSE_ADD_FOREIGN_KEY);
	clause->foreign_key = fk;
	clause->if_exists = if_not_exists;
	return true;
}

/*
 * An expression that means the same whatever the sql_mode is: names in
 * backquotes, texts in single ones.
 */
static char *
plain_expression(const char *start, const char *end, uint64 sql_mode)
{
	StringInfoData buf;
	MsScanner	s;

	initStringInfo(&buf);
	ms_token_begin(&s, start, end - start, sql_mode);
	while (s.kind != MS_TOKEN_END)
	{
		if (s.kind == MS_TOKEN_NAME)
			ms_parse_quote_name(&buf, s.text);
		else if (s.kind == MS_TOKEN_STRING)
			ms_parse_quote_text(&buf, s.text);
		else
			appendBinaryStringInfo(&buf, s.start, s.p - s.start);
		start = s.p;
		ms_token_next(&s);
		/* blanks, but no comments, which may be executable ones */
		if (s.kind != MS_TOKEN_END && s.start > start)
			appendStringInfoChar(&buf, ' ');
	}
	return buf.data;
}

/* CHECK (expression) */
bool
ms_parse_check(MsParser *parser, char *name)
{
	MsScanner  *s = &parser->scanner;
	MsClause   *clause;
	const char *start;

	if (!ms_token_accept(s, "CHECK"))
		return false;
	start = s->start;
	if (!(s->kind == MS_TOKEN_PUNCT && s->punct == '('))
		return false;
	ms_token_skip(s);
	clause = ms_parse_add(parser, MS_CLAUSE_ADD_CHECK);
	clause->check = palloc0(sizeof(MsSourceCheck));
	clause->check->name = name;
	clause->check->clause = plain_expression(start + 1, s->previous_end - 1,
											 s->sql_mode);
	return true;
}

/*
 * A key or constraint; false when the token begins none.  *failed is set when
 * it is one that could not be read.
 */
static bool
parse_constraint(MsParser *parser, bool *failed)
{
	MsScanner  *s = &parser->scanner;
	char	   *name = NULL;
	bool		named = false;
	bool		ok;

	if (ms_token_accept(s, "CONSTRAINT"))
	{
		named = true;
		(void) ms_token_accept_if_exists(s);
		if (!ms_token_is(s, "PRIMARY") && !ms_token_is(s, "UNIQUE") &&
			!ms_token_is(s, "FOREIGN") && !ms_token_is(s, "CHECK"))
			name = ms_token_name(s);
	}
	if (ms_token_accept(s, "PRIMARY"))
	{
		(void) ms_token_accept(s, "KEY");
		ok = parse_index(parser, "PRIMARY", "BTREE", true);
	}
	else if (ms_token_accept(s, "UNIQUE"))
	{
		if (!ms_token_accept(s, "KEY"))
			(void) ms_token_accept(s, "INDEX");
		ok = parse_index(parser, name, "BTREE", true);
	}
	else if (!named && (ms_token_is(s, "KEY") || ms_token_is(s, "INDEX")))
	{
		ms_token_next(s);
		ok = parse_index(parser, NULL, "BTREE", false);
	}
	else if (!named && (ms_token_is(s, "FULLTEXT") || ms_token_is(s, "SPATIAL")))
	{
		const char *type = ms_token_is(s, "FULLTEXT") ? "FULLTEXT" : "SPATIAL";

		ms_token_next(s);
		if (!ms_token_accept(s, "KEY"))
			(void) ms_token_accept(s, "INDEX");
		ok = parse_index(parser, NULL, type, false);
	}
	else if (ms_token_accept(s, "FOREIGN"))
	{
		(void) ms_token_accept(s, "KEY");
		ok = parse_foreign_key(parser, name);
	}
	else if (ms_token_is(s, "CHECK"))
		ok = ms_parse_check(parser, name);
	else
	{
		*failed = named;
		return named;
	}
	*failed = !ok;
	return true;
}

/* ------------------------------------------------------------------------
 * Table options
 * ------------------------------------------------------------------------
 */

/* [DEFAULT] CHARACTER SET [=] x, CHARSET [=] x, COLLATE [=] x */
static bool
parse_charset(MsParser *parser, MsClauseKind kind)
{
	MsScanner  *s = &parser->scanner;
	MsClause   *clause;
	char	   *charset = NULL;
	char	   *collation = NULL;

	(void) ms_token_accept(s, "DEFAULT");
	if (ms_token_accept(s, "CHARACTER") || ms_token_is(s, "CHARSET"))
	{
		ms_token_next(s);
		(void) ms_token_accept_punct(s, '=');
		charset = s->text;
		ms_token_next(s);
	}
	(void) ms_token_accept(s, "DEFAULT");
	if (ms_token_accept(s, "COLLATE"))
	{
		(void) ms_token_accept_punct(s, '=');
		collation = s->text;
		ms_token_next(s);
	}
	if (charset == NULL && collation == NULL)
		return false;
	clause = ms_parse_add(parser, kind);
	clause->charset = charset;
	clause->collation = collation;
	return true;
}

static void
skip_value(MsScanner *s)
{
	(void) ms_token_accept_punct(s, '=');
	ms_token_skip(s);
	while (ms_token_accept_punct(s, '.'))
		ms_token_next(s);
}

/* Options that leave rows and structure as they are. */
static bool
is_harmless_option(const MsScanner *s)
{
	static const char *const words[] = {
		"AUTO_INCREMENT", "AVG_ROW_LENGTH", "CHECKSUM", "CONNECTION",
		"DELAY_KEY_WRITE", "ENCRYPTED", "ENCRYPTION_KEY_ID", "IETF_QUOTES",
		"INSERT_METHOD", "KEY_BLOCK_SIZE", "MAX_ROWS", "MIN_ROWS",
		"PACK_KEYS", "PAGE_CHECKSUM", "PAGE_COMPRESSED",
		"PAGE_COMPRESSION_LEVEL", "PASSWORD", "ROW_FORMAT", "SEQUENCE",
		"STATS_AUTO_RECALC", "STATS_PERSISTENT", "STATS_SAMPLE_PAGES",
		"TABLESPACE", "TABLE_CHECKSUM", "TRANSACTIONAL", "ALGORITHM", "LOCK"
	};

	for (int i = 0; i < (int) lengthof(words); i++)
		if (ms_token_is(s, words[i]))
			return true;
	return false;
}

/* One option of a table; false when the token begins none. */
static bool
parse_table_option(MsParser *parser)
{
	MsScanner  *s = &parser->scanner;

	if (ms_token_is(s, "DEFAULT") || ms_token_is(s, "CHARACTER") ||
		ms_token_is(s, "CHARSET") || ms_token_is(s, "COLLATE"))
		return parse_charset(parser, MS_CLAUSE_TABLE_CHARSET);
	if (ms_token_is(s, "ENGINE") || ms_token_is(s, "TYPE") ||
		ms_token_is(s, "COMMENT"))
	{
		MsClause   *clause = ms_parse_add(parser, ms_token_is(s, "COMMENT") ?
										  MS_CLAUSE_COMMENT : MS_CLAUSE_ENGINE);

		ms_token_next(s);
		(void) ms_token_accept_punct(s, '=');
		clause->name = s->text ? s->text : "";
		ms_token_next(s);
		return true;
	}
	if (ms_token_accept(s, "DATA") || ms_token_is(s, "INDEX"))
	{
		(void) ms_token_accept(s, "INDEX");
		if (!ms_token_accept(s, "DIRECTORY"))
			return false;
		skip_value(s);
		return true;
	}
	if (is_harmless_option(s))
	{
		ms_token_next(s);
		skip_value(s);
		return true;
	}
	return false;
}

/* PARTITION BY ...: the rest of the statement, or of it before a SELECT */
static void
parse_partition_by(MsParser *parser)
{
	MsScanner  *s = &parser->scanner;

	ms_parse_add(parser, MS_CLAUSE_PARTITION)->flag = true;
	while (s->kind != MS_TOKEN_END)
		ms_token_skip(s);
}

/* ------------------------------------------------------------------------
 * CREATE TABLE
 * ------------------------------------------------------------------------
 */

static void
parse_elements(MsParser *parser)
{
	MsScanner  *s = &parser->scanner;

	do
	{
		const char *start = s->start;
		bool		failed = false;

		if (!parse_constraint(parser, &failed))
			failed = !ms_parse_column(parser, NULL, false);
		if (failed || !at_clause_end(s))
			ms_parse_unknown(parser, start);
	} while (ms_token_accept_punct(s, ','));
	(void) ms_token_accept_punct(s, ')');
}

static void
parse_create_table(MsParser *parser)
{
	MsScanner  *s = &parser->scanner;
	MsDdl	   *ddl = parser->ddl;
	const char *p;
	MsTokenKind kind;

	(void) ms_token_accept_if_exists(s);
	if (parse_table_name(parser, parser->default_db) == NULL)
		return;
	if (ms_token_accept(s, "LIKE"))
	{
		ddl->like = parse_table_name(parser, parser->default_db);
		return;
	}
	p = s->start;
	kind = s->kind;
	if (kind == MS_TOKEN_PUNCT && ms_token_accept_punct(s, '('))
	{
		if (ms_token_accept(s, "LIKE"))
		{
			ddl->like = parse_table_name(parser, parser->default_db);
			return;
		}
		if (ms_token_is(s, "SELECT") || ms_token_is(s, "WITH"))
		{
			ms_parse_unknown(parser, p);
			return;
		}
		parse_elements(parser);
	}
	while (s->kind != MS_TOKEN_END)
	{
		const char *start = s->start;

		if (ms_token_accept_punct(s, ',') || ms_token_accept_punct(s, ';'))
			continue;
		if (ms_token_accept(s, "AS") || ms_token_accept(s, "IGNORE") ||
			ms_token_accept(s, "REPLACE") || ms_token_is(s, "SELECT"))
		{
			ddl->has_select = true;
			break;
		}
		if (ms_token_is(s, "PARTITION"))
			parse_partition_by(parser);
		else if (ms_token_accept(s, "WITH"))
		{
			if (!ms_token_accept(s, "SYSTEM"))
				ms_parse_unknown(parser, start);
			(void) ms_token_accept(s, "VERSIONING");
			ms_parse_add(parser, MS_CLAUSE_VERSIONING)->flag = true;
		}
		else if (!parse_table_option(parser))
		{
			ms_parse_unknown(parser, start);
			if (s->kind == MS_TOKEN_PUNCT && s->punct == ')')
				ms_token_next(s);
		}
	}
}

/* ------------------------------------------------------------------------
 * ALTER TABLE
 * ------------------------------------------------------------------------
 */

static bool
parse_add(MsParser *parser)
{
	MsScanner  *s = &parser->scanner;
	bool		failed = false;
	bool		if_not_exists;

	if (ms_token_accept(s, "PARTITION"))
	{
		/* an empty one more */
		while (s->kind != MS_TOKEN_END)
			ms_token_skip(s);
		return true;
	}
	if (ms_token_accept(s, "SYSTEM"))
	{
		if (!ms_token_accept(s, "VERSIONING"))
			return false;
		ms_parse_add(parser, MS_CLAUSE_VERSIONING)->flag = true;
		return true;
	}
	if (parse_constraint(parser, &failed))
		return !failed;
	(void) ms_token_accept(s, "COLUMN");
	if_not_exists = ms_token_accept_if_exists(s);
	if (ms_token_accept_punct(s, '('))
	{
		do
		{
			failed = false;
			if (parse_constraint(parser, &failed) ? failed :
				!ms_parse_column(parser, NULL, if_not_exists))
				return false;
		} while (ms_token_accept_punct(s, ','));
		return ms_token_accept_punct(s, ')');
	}
	return ms_parse_column(parser, NULL, if_not_exists);
}

static bool
parse_drop(MsParser *parser)
{
	MsScanner  *s = &parser->scanner;
	MsClauseKind kind = MS_CLAUSE_DROP_COLUMN;
	MsClause   *clause;
	char	   *name = NULL;
	bool		if_exists;

	if (ms_token_accept(s, "PARTITION"))
	{
		(void) ms_token_accept_if_exists(s);
		do
		{
			ms_token_next(s);
		} while (ms_token_accept_punct(s, ','));
		ms_parse_add(parser, MS_CLAUSE_CHANGES_ROWS)->name = "the rows of a partition were dropped";
		return true;
	}
	if (ms_token_accept(s, "SYSTEM"))
	{
		(void) ms_token_accept(s, "VERSIONING");
		ms_parse_add(parser, MS_CLAUSE_VERSIONING)->flag = false;
		return true;
	}
	if (ms_token_accept(s, "PRIMARY"))
	{
		(void) ms_token_accept(s, "KEY");
		kind = MS_CLAUSE_DROP_INDEX;
		name = "PRIMARY";
	}
	else if (ms_token_accept(s, "INDEX") || ms_token_accept(s, "KEY"))
		kind = MS_CLAUSE_DROP_INDEX;
	else if (ms_token_accept(s, "FOREIGN"))
	{
		(void) ms_token_accept(s, "KEY");
		kind = MS_CLAUSE_DROP_FOREIGN_KEY;
	}
	else if (ms_token_accept(s, "CONSTRAINT") || ms_token_accept(s, "CHECK"))
		kind = MS_CLAUSE_DROP_CONSTRAINT;
	else
		(void) ms_token_accept(s, "COLUMN");
	if_exists = ms_token_accept_if_exists(s);
	if (name == NULL)
		name = ms_token_name(s);
	if (name == NULL)
		return false;
	if (!ms_token_accept(s, "RESTRICT"))
		(void) ms_token_accept(s, "CASCADE");
	clause = ms_parse_add(parser, kind);
	clause->name = name;
	clause->if_exists = if_exists;
	return true;
}

static bool
parse_rename(MsParser *parser)
{
	MsScanner  *s = &parser->scanner;
	MsClause   *clause;

	if (ms_token_is(s, "COLUMN") || ms_token_is(s, "INDEX") ||
		ms_token_is(s, "KEY"))
	{
		bool		is_column = ms_token_accept(s, "COLUMN");

		if (!is_column)
			ms_token_next(s);
		clause = ms_parse_add(parser, is_column ? MS_CLAUSE_RENAME_COLUMN :
							  MS_CLAUSE_RENAME_INDEX);
		clause->if_exists = ms_token_accept_if_exists(s);
		clause->name = ms_token_name(s);
		if (!ms_token_accept(s, "TO"))
			return false;
		clause->new_name = ms_token_name(s);
		return clause->name && clause->new_name;
	}
	if (!ms_token_accept(s, "TO") && !ms_token_accept(s, "AS"))
		(void) ms_token_accept_punct(s, '=');
	clause = ms_parse_add(parser, MS_CLAUSE_RENAME_TABLE);
	clause->table = parse_table_name(parser, parser->default_db);
	return clause->table != NULL;
}

/* ALTER [COLUMN] c SET DEFAULT ..., DROP DEFAULT; ALTER INDEX is harmless */
static bool
parse_alter(MsParser *parser)
{
	MsScanner  *s = &parser->scanner;
	MsClause   *clause;

	if (ms_token_accept(s, "INDEX") || ms_token_accept(s, "KEY"))
	{
		while (!at_clause_end(s))
			ms_token_next(s);
		return true;
	}
	(void) ms_token_accept(s, "COLUMN");
	clause = ms_parse_add(parser, MS_CLAUSE_SET_DEFAULT);
	clause->if_exists = ms_token_accept_if_exists(s);
	clause->name = ms_token_name(s);
	clause->column = palloc0(sizeof(MsSourceColumn));
	if (clause->name == NULL)
		return false;
	if (ms_token_accept(s, "DROP"))
		return ms_token_accept(s, "DEFAULT");
	return ms_token_accept(s, "SET") && ms_token_accept(s, "DEFAULT") &&
		ms_parse_default(parser, clause->column);
}

/* Partition maintenance: what becomes of the rows. */
static bool
parse_partition_action(MsParser *parser)
{
	static const struct
	{
		const char *verb;
		const char *change;		/* NULL = none */
	}			actions[] = {
		{"TRUNCATE", "the rows of a partition were dropped"},
		{"EXCHANGE", "the rows of a partition were exchanged"},
		{"REORGANIZE", NULL},
		{"COALESCE", NULL},
		{"REBUILD", NULL},
		{"REPAIR", NULL},
		{"OPTIMIZE", NULL},
		{"ANALYZE", NULL},
		{"CHECK", NULL},
	};
	MsScanner  *s = &parser->scanner;

	for (int i = 0; i < (int) lengthof(actions); i++)
	{
		if (!ms_token_is(s, actions[i].verb))
			continue;
		if (actions[i].change)
			ms_parse_add(parser, MS_CLAUSE_CHANGES_ROWS)->name =
				pstrdup(actions[i].change);
		while (s->kind != MS_TOKEN_END)
			ms_token_skip(s);
		return true;
	}
	return false;
}

static bool
parse_convert(MsParser *parser)
{
	MsScanner  *s = &parser->scanner;

	if (ms_token_accept(s, "TO"))
		return parse_charset(parser, MS_CLAUSE_CONVERT_CHARSET);
	/* CONVERT PARTITION p TO TABLE t, CONVERT TABLE t TO PARTITION p ... */
	ms_parse_add(parser, MS_CLAUSE_CHANGES_ROWS)->name = "a table and a partition were converted";
	while (s->kind != MS_TOKEN_END)
		ms_token_skip(s);
	return true;
}

static bool
parse_alter_clause(MsParser *parser)
{
	MsScanner  *s = &parser->scanner;

	if (ms_token_accept(s, "ADD"))
		return parse_add(parser);
	if (ms_token_accept(s, "DROP"))
		return parse_drop(parser);
	if (ms_token_accept(s, "MODIFY"))
	{
		bool		if_exists;

		(void) ms_token_accept(s, "COLUMN");
		if_exists = ms_token_accept_if_exists(s);
		return ms_parse_column(parser, "", if_exists);
	}
	if (ms_token_accept(s, "CHANGE"))
	{
		bool		if_exists;
		char	   *name;

		(void) ms_token_accept(s, "COLUMN");
		if_exists = ms_token_accept_if_exists(s);
		name = ms_token_name(s);
		return name && ms_parse_column(parser, name, if_exists);
	}
	if (ms_token_accept(s, "RENAME"))
		return parse_rename(parser);
	if (ms_token_accept(s, "ALTER"))
		return parse_alter(parser);
	if (ms_token_accept(s, "CONVERT"))
		return parse_convert(parser);
	if (ms_token_accept(s, "FORCE") || ms_token_accept(s, "NOWAIT"))
		return true;
	if (ms_token_accept(s, "WAIT"))
	{
		ms_token_next(s);
		return true;
	}
	if (ms_token_accept(s, "ENABLE") || ms_token_accept(s, "DISABLE"))
		return ms_token_accept(s, "KEYS");
	if (ms_token_accept(s, "ORDER"))
	{
		while (s->kind != MS_TOKEN_END)
			ms_token_next(s);
		return true;
	}
	if (ms_token_accept(s, "IMPORT"))
	{
		ms_parse_add(parser, MS_CLAUSE_CHANGES_ROWS)->name = "a tablespace was imported";
		return ms_token_accept(s, "TABLESPACE");
	}
	if (ms_token_accept(s, "DISCARD"))
	{
		ms_parse_add(parser, MS_CLAUSE_CHANGES_ROWS)->name = "the tablespace was discarded";
		return ms_token_accept(s, "TABLESPACE");
	}
	if (ms_token_accept(s, "REMOVE"))
	{
		ms_parse_add(parser, MS_CLAUSE_PARTITION)->flag = false;
		return ms_token_accept(s, "PARTITIONING");
	}
	if (ms_token_is(s, "PARTITION"))
	{
		parse_partition_by(parser);
		return true;
	}
	return parse_partition_action(parser) || parse_table_option(parser);
}

static void
parse_alter_table(MsParser *parser)
{
	MsScanner  *s = &parser->scanner;

	(void) ms_token_accept_if_exists(s);
	if (parse_table_name(parser, parser->default_db) == NULL)
		return;
	while (s->kind != MS_TOKEN_END)
	{
		const char *start = s->start;

		if (ms_token_accept_punct(s, ',') || ms_token_accept_punct(s, ';'))
			continue;
		if (!parse_alter_clause(parser))
		{
			ms_parse_unknown(parser, start);
			(void) ms_token_accept_punct(s, ')');
		}
	}
}

/* ------------------------------------------------------------------------
 * The statement
 * ------------------------------------------------------------------------
 */

static void
parse_create_index(MsParser *parser, bool unique, const char *type)
{
	const char *start = parser->scanner.start;

	parser->is_create_index = true;
	if (!parse_index(parser, NULL, type, unique))
		ms_parse_unknown(parser, start);
}

static void
parse_drop_index(MsParser *parser)
{
	MsScanner  *s = &parser->scanner;
	MsClause   *clause = ms_parse_add(parser, MS_CLAUSE_DROP_INDEX);

	clause->if_exists = ms_token_accept_if_exists(s);
	clause->name = ms_token_name(s);
	if (clause->name && pg_strcasecmp(clause->name, "PRIMARY") == 0)
		clause->name = "PRIMARY";
}

/*
 * Read a statement, which ms_ddl_scan() has found to be one of those this
 * file is about.  Text in the server's encoding.
 */
void
ms_ddl_parse(const char *sql, size_t len, const char *default_db,
			 uint64 sql_mode, MsDdl *ddl)
{
	MsParser	parser = {0};
	MsScanner  *s = &parser.scanner;

	memset(ddl, 0, sizeof(*ddl));
	parser.ddl = ddl;
	parser.default_db = default_db;
	ms_token_begin(s, sql, len, sql_mode);
	ms_ddl_skip_set_statement(s);
	if (ms_token_accept(s, "ALTER"))
	{
		while (ms_token_is(s, "ONLINE") || ms_token_is(s, "IGNORE"))
		{
			ddl->ignore |= ms_token_is(s, "IGNORE");
			ms_token_next(s);
		}
		(void) ms_token_accept(s, "TABLE");
		parse_alter_table(&parser);
		return;
	}
	if (ms_token_accept(s, "DROP"))
	{
		(void) ms_token_accept(s, "INDEX");
		parse_drop_index(&parser);
		return;
	}
	if (!ms_token_accept(s, "CREATE"))
		return;
	if (ms_token_accept(s, "OR"))
		ddl->or_replace = ms_token_accept(s, "REPLACE");
	if (ms_token_accept(s, "TABLE"))
		parse_create_table(&parser);
	else
	{
		bool		unique = ms_token_accept(s, "UNIQUE");
		const char *type = ms_token_accept(s, "FULLTEXT") ? "FULLTEXT" :
		ms_token_accept(s, "SPATIAL") ? "SPATIAL" : "BTREE";

		(void) ms_token_accept(s, "INDEX");
		parse_create_index(&parser, unique, type);
	}
}
