/*
 * ddl_scan.c - which statement is this, and which tables does it name?
 *
 * A tolerant scanner over MariaDB's SQL: it knows the SET STATEMENT prefix
 * and the verbs that concern tables.  It does not know the grammar: a
 * statement it has no rule for is MS_STMT_OTHER, whatever it says.
 *
 * Text goes in in the server's encoding.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "ddl_scan.h"
#include "ddl_token.h"

/* [db.]table, or .table; false when there is none. */
static bool
take_table(MsScanner *s, MsStatement *statement)
{
	MsTableName *name = palloc(sizeof(MsTableName));

	(void) ms_token_accept_punct(s, '.');
	if (!ms_token_table(s, statement->default_db, &name->db, &name->table))
		return false;
	statement->tables = lappend(statement->tables, name);
	return true;
}

/* ------------------------------------------------------------------------
 * Verbs
 * ------------------------------------------------------------------------
 */

static void
set_kind(MsStatement *statement, MsStatementKind kind, const char *verb)
{
	statement->kind = kind;
	statement->verb = verb;
}

/* CREATE INDEX name ... ON table, DROP INDEX name ON table */
static void
scan_index(MsScanner *s, MsStatement *statement, const char *verb)
{
	while (s->kind != MS_TOKEN_END && !ms_token_is(s, "ON"))
		ms_token_next(s);
	if (ms_token_accept(s, "ON") && take_table(s, statement))
		set_kind(statement, MS_STMT_TABLE_DDL, verb);
}

static void
scan_create(MsScanner *s, MsStatement *statement)
{
	if (ms_token_accept(s, "OR"))
		ms_token_accept(s, "REPLACE");
	if (ms_token_is(s, "TEMPORARY"))
		return;
	if (ms_token_accept(s, "TABLE"))
	{
		if (ms_token_accept(s, "IF"))
		{
			ms_token_accept(s, "NOT");
			ms_token_accept(s, "EXISTS");
			statement->if_not_exists = true;
		}
		if (take_table(s, statement))
			set_kind(statement, MS_STMT_CREATE_TABLE, "CREATE TABLE");
		return;
	}
	if (ms_token_is(s, "UNIQUE") || ms_token_is(s, "FULLTEXT") || ms_token_is(s, "SPATIAL"))
		ms_token_next(s);
	if (ms_token_accept(s, "INDEX"))
		scan_index(s, statement, "CREATE INDEX");
}

/*
 * EXCHANGE PARTITION p WITH TABLE t, CONVERT PARTITION p TO TABLE t, CONVERT
 * TABLE t TO PARTITION ..., but not CONVERT TO CHARACTER SET.
 */
static void
scan_exchange(MsScanner *s, MsStatement *statement)
{
	MsExchange	exchange = MS_EXCHANGE_ROWS;

	if (ms_token_accept(s, "CONVERT"))
	{
		if (ms_token_is(s, "PARTITION"))
			exchange = MS_EXCHANGE_TO_TABLE;
		else if (ms_token_is(s, "TABLE"))
			exchange = MS_EXCHANGE_FROM_TABLE;
		else
			return;
	}
	while (s->kind != MS_TOKEN_END && !ms_token_is(s, "TABLE"))
		ms_token_next(s);
	if (ms_token_accept(s, "TABLE") && take_table(s, statement))
		statement->exchange = exchange;
}

static void
scan_alter(MsScanner *s, MsStatement *statement)
{
	while (ms_token_is(s, "ONLINE") || ms_token_is(s, "IGNORE"))
		ms_token_next(s);
	if (!ms_token_accept(s, "TABLE"))
		return;
	ms_token_accept_if_exists(s);
	if (!take_table(s, statement))
		return;
	set_kind(statement, MS_STMT_TABLE_DDL, "ALTER TABLE");

	/* RENAME [TO | AS | =] name, but not RENAME COLUMN, INDEX, KEY */
	while (s->kind != MS_TOKEN_END)
	{
		if (ms_token_is(s, "EXCHANGE") || ms_token_is(s, "CONVERT"))
		{
			scan_exchange(s, statement);
			continue;
		}
		if (!ms_token_accept(s, "RENAME"))
		{
			ms_token_next(s);
			continue;
		}
		if (ms_token_is(s, "COLUMN") || ms_token_is(s, "INDEX") || ms_token_is(s, "KEY"))
			continue;
		if (!ms_token_accept(s, "TO") && !ms_token_accept(s, "AS"))
			ms_token_accept_punct(s, '=');
		take_table(s, statement);
	}
}

static void
scan_drop(MsScanner *s, MsStatement *statement)
{
	if (ms_token_is(s, "TEMPORARY"))
		return;
	if (ms_token_accept(s, "TABLE") || ms_token_accept(s, "TABLES"))
	{
		ms_token_accept_if_exists(s);
		do
		{
			if (!take_table(s, statement))
				break;
		} while (ms_token_accept_punct(s, ','));
		set_kind(statement, MS_STMT_TABLE_DDL, "DROP TABLE");
	}
	else if (ms_token_accept(s, "INDEX"))
		scan_index(s, statement, "DROP INDEX");
	else if (ms_token_accept(s, "DATABASE") || ms_token_accept(s, "SCHEMA"))
	{
		ms_token_accept_if_exists(s);
		statement->db = ms_token_table_name(s);
		if (statement->db)
			set_kind(statement, MS_STMT_DROP_DATABASE, "DROP DATABASE");
	}
}

/* RENAME TABLE a TO b, c TO d: all of them change */
static void
scan_rename(MsScanner *s, MsStatement *statement)
{
	if (!ms_token_accept(s, "TABLE") && !ms_token_accept(s, "TABLES"))
		return;
	ms_token_accept_if_exists(s);
	do
	{
		if (!take_table(s, statement))
			break;
		/* WAIT n, NOWAIT */
		while (s->kind != MS_TOKEN_END && !ms_token_is(s, "TO"))
			ms_token_next(s);
		if (!ms_token_accept(s, "TO") || !take_table(s, statement))
			break;
	} while (ms_token_accept_punct(s, ','));
	set_kind(statement, MS_STMT_TABLE_DDL, "RENAME TABLE");
}

static void
scan_xa(MsScanner *s, MsStatement *statement)
{
	static const struct
	{
		const char *word;
		MsStatementKind kind;
		const char *verb;
	}			kinds[] = {
		{"END", MS_STMT_XA_END, "XA END"},
		{"COMMIT", MS_STMT_XA_COMMIT, "XA COMMIT"},
		{"ROLLBACK", MS_STMT_XA_ROLLBACK, "XA ROLLBACK"},
	};

	for (int i = 0; i < (int) lengthof(kinds); i++)
	{
		if (ms_token_is(s, kinds[i].word))
			set_kind(statement, kinds[i].kind, kinds[i].verb);
	}
}

/* SET STATEMENT variable = value, ... FOR statement */
void
ms_ddl_skip_set_statement(MsScanner *s)
{
	const char *p = s->p;

	if (!ms_token_is(s, "SET"))
		return;
	ms_token_next(s);
	if (!ms_token_is(s, "STATEMENT"))
	{
		/* a plain SET */
		s->p = p;
		return;
	}
	while (s->kind != MS_TOKEN_END && !ms_token_is(s, "FOR"))
		ms_token_next(s);
	ms_token_accept(s, "FOR");
}

/* Do passwords follow this word? */
static bool
announces_secret(const char *word)
{
	return pg_strcasecmp(word, "CONNECTION") == 0 ||
		pg_strcasecmp(word, "PASSWORD") == 0 ||
		pg_strcasecmp(word, "BY") == 0;
}

/*
 * Has a literal a password in it?  Table options of engines that read another
 * server have: 'user "a", password "b"', 'mysql://a:b@host'.
 */
static bool
has_secret(const char *text)
{
	static const char word[] = "password";
	const char *url = strstr(text, "://");

	if (url && strchr(url, '@'))
		return true;
	for (; *text; text++)
		if (pg_strncasecmp(text, word, strlen(word)) == 0 &&
			text[strlen(word)] && strchr(" \t=:\"'", text[strlen(word)]))
			return true;
	return false;
}

/*
 * The statement as it may be shown to anybody: literals that are passwords,
 * or have some in them, are left out.
 */
char *
ms_ddl_without_secrets(const char *sql, uint64 sql_mode)
{
	MsScanner	s;
	StringInfoData buf;
	const char *shown = sql;
	bool		secret = false;

	initStringInfo(&buf);
	ms_token_begin(&s, sql, strlen(sql), sql_mode);
	for (; s.kind != MS_TOKEN_END; ms_token_next(&s))
	{
		if (s.kind == MS_TOKEN_STRING && (secret || has_secret(s.text)))
		{
			appendBinaryStringInfo(&buf, shown, s.start - shown);
			appendStringInfoString(&buf, "'***'");
			shown = s.p;
		}
		/* _utf8mb4'...', x'...' */
		else if (s.kind == MS_TOKEN_WORD && s.text[0] != '_' && s.text[1] != '\0')
			secret = announces_secret(s.text);
		else if (s.kind == MS_TOKEN_NAME ||
				 (s.kind == MS_TOKEN_PUNCT && s.punct != '=' && s.punct != '('))
			secret = false;
	}
	appendStringInfoString(&buf, shown);
	return buf.data;
}

/*
 * Look at a statement.
 *
 * sql and len are the text, default_db what unqualified names belong to,
 * sql_mode the session's.  Never raises an error: text that ends too early
 * is MS_STMT_OTHER, or has fewer tables.
 */
void
ms_ddl_scan(const char *sql, size_t len, const char *default_db,
			uint64 sql_mode, MsStatement *statement)
{
	static const char *const dml[] = {
		"INSERT", "REPLACE", "UPDATE", "DELETE", "LOAD", "CALL", "WITH",
		"SELECT", "DO"
	};
	MsScanner	s;

	memset(statement, 0, sizeof(*statement));
	set_kind(statement, MS_STMT_OTHER, "statement");
	statement->default_db = default_db;
	ms_token_begin(&s, sql, len, sql_mode);
	ms_ddl_skip_set_statement(&s);
	for (int i = 0; i < (int) lengthof(dml); i++)
	{
		if (ms_token_is(&s, dml[i]))
		{
			set_kind(statement, MS_STMT_DML, dml[i]);
			return;
		}
	}
	if (ms_token_accept(&s, "COMMIT"))
		set_kind(statement, MS_STMT_COMMIT, "COMMIT");
	else if (ms_token_accept(&s, "ROLLBACK"))
	{
		if (s.kind == MS_TOKEN_END)
			set_kind(statement, MS_STMT_ROLLBACK, "ROLLBACK");
		else if (ms_token_accept(&s, "TO"))
		{
			ms_token_accept(&s, "SAVEPOINT");
			statement->savepoint = s.text;
			set_kind(statement, MS_STMT_ROLLBACK_TO, "ROLLBACK TO");
		}
	}
	else if (ms_token_accept(&s, "SAVEPOINT"))
	{
		statement->savepoint = s.text;
		set_kind(statement, MS_STMT_SAVEPOINT, "SAVEPOINT");
	}
	else if (ms_token_accept(&s, "XA"))
		scan_xa(&s, statement);
	else if (ms_token_accept(&s, "TRUNCATE"))
	{
		ms_token_accept(&s, "TABLE");
		if (take_table(&s, statement))
			set_kind(statement, MS_STMT_TRUNCATE, "TRUNCATE");
	}
	else if (ms_token_accept(&s, "CREATE"))
		scan_create(&s, statement);
	else if (ms_token_accept(&s, "ALTER"))
		scan_alter(&s, statement);
	else if (ms_token_accept(&s, "DROP"))
		scan_drop(&s, statement);
	else if (ms_token_accept(&s, "RENAME"))
		scan_rename(&s, statement);
}
