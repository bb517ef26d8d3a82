/*
 * ddl_scan.c - which statement is this, and which tables does it name?
 *
 * A tolerant scanner over MariaDB's SQL: it knows quotes, comments (looking
 * into executable ones), ANSI_QUOTES, the SET STATEMENT prefix and the verbs
 * that concern tables.  It does not know the grammar: a statement it has no
 * rule for is MS_STMT_OTHER, whatever it says.
 *
 * Text goes in as the client wrote it, in whatever ASCII-compatible character
 * set that was; names come out in the server's encoding.
 */
#include "postgres.h"

#include <ctype.h>

#include "mb/pg_wchar.h"

#include "ddl_scan.h"
#include "encoding.h"
#include "event.h"

typedef enum TokenKind
{
	TOKEN_END,
	TOKEN_WORD,					/* not quoted: keyword or name */
	TOKEN_NAME,					/* quoted name */
	TOKEN_STRING,
	TOKEN_PUNCT
} TokenKind;

typedef struct Scanner
{
	const char *p;
	const char *end;
	const char *default_db;
	uint64		sql_mode;
	bool		in_executable;	/* inside an executable comment */

	/* the current token */
	TokenKind	kind;
	char	   *text;			/* WORD, NAME: unquoted */
	char		punct;
	const char *start;
} Scanner;

/* ------------------------------------------------------------------------
 * Tokens
 * ------------------------------------------------------------------------
 */

static bool
is_word_char(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '$' ||
		IS_HIGHBIT_SET(c);
}

static bool
starts_with(const Scanner *s, const char *text)
{
	size_t		len = strlen(text);

	return (size_t) (s->end - s->p) >= len && memcmp(s->p, text, len) == 0;
}

static void
skip_line(Scanner *s)
{
	while (s->p < s->end && *s->p != '\n')
		s->p++;
}

/* Blanks and comments.  What an executable comment holds is not skipped. */
static void
skip_blanks(Scanner *s)
{
	for (;;)
	{
		if (s->p >= s->end)
			return;
		if (isspace((unsigned char) *s->p) || *s->p == '\0')
			s->p++;
		else if (*s->p == '#')
			skip_line(s);
		else if (starts_with(s, "--") &&
				 (s->p + 2 >= s->end || isspace((unsigned char) s->p[2])))
			skip_line(s);
		else if (starts_with(s, "/*!") || starts_with(s, "/*M!"))
		{
			s->p += s->p[2] == 'M' ? 4 : 3;
			while (s->p < s->end && isdigit((unsigned char) *s->p))
				s->p++;
			s->in_executable = true;
		}
		else if (s->in_executable && starts_with(s, "*/"))
		{
			s->p += 2;
			s->in_executable = false;
		}
		else if (starts_with(s, "/*"))
		{
			s->p += 2;
			while (s->p < s->end && !starts_with(s, "*/"))
				s->p++;
			s->p = Min(s->p + 2, s->end);
		}
		else
			return;
	}
}

/* Reads up to the closing quote, which is doubled inside. */
static char *
read_quoted(Scanner *s, char quote, bool backslash)
{
	char	   *out = palloc(s->end - s->p + 1);
	char	   *o = out;

	s->p++;
	while (s->p < s->end)
	{
		if (backslash && *s->p == '\\' && s->p + 1 < s->end)
		{
			*o++ = s->p[1];
			s->p += 2;
		}
		else if (*s->p == quote)
		{
			s->p++;
			if (s->p >= s->end || *s->p != quote)
				break;
			*o++ = *s->p++;
		}
		else
			*o++ = *s->p++;
	}
	*o = '\0';
	return out;
}

/* Step to the next token. */
static void
next(Scanner *s)
{
	bool		backslash = (s->sql_mode & MS_SQL_MODE_NO_BACKSLASH) == 0;

	skip_blanks(s);
	s->text = NULL;
	s->start = s->p;
	if (s->p >= s->end)
		s->kind = TOKEN_END;
	else if (*s->p == '`' ||
			 (*s->p == '"' && (s->sql_mode & MS_SQL_MODE_ANSI_QUOTES)))
	{
		s->kind = TOKEN_NAME;
		s->text = read_quoted(s, *s->p, false);
	}
	else if (*s->p == '\'' || *s->p == '"')
	{
		s->kind = TOKEN_STRING;
		s->text = read_quoted(s, *s->p, backslash);
	}
	else if (is_word_char(*s->p))
	{
		while (s->p < s->end && is_word_char(*s->p))
			s->p++;
		s->kind = TOKEN_WORD;
		s->text = pnstrdup(s->start, s->p - s->start);
	}
	else
	{
		s->kind = TOKEN_PUNCT;
		s->punct = *s->p++;
	}
}

static bool
is_word(const Scanner *s, const char *word)
{
	return s->kind == TOKEN_WORD && pg_strcasecmp(s->text, word) == 0;
}

/* Step over the word if it is the current token. */
static bool
accept(Scanner *s, const char *word)
{
	if (!is_word(s, word))
		return false;
	next(s);
	return true;
}

static bool
accept_punct(Scanner *s, char c)
{
	if (s->kind != TOKEN_PUNCT || s->punct != c)
		return false;
	next(s);
	return true;
}

static void
accept_if_exists(Scanner *s)
{
	if (accept(s, "IF"))
	{
		accept(s, "NOT");
		accept(s, "EXISTS");
	}
}

/*
 * A name in the server's encoding.  What is not UTF-8 is taken for Latin 1,
 * the other character set that clients commonly have.
 */
static char *
name_to_server(char *name)
{
	int			len = strlen(name);

	if (pg_verify_mbstr(PG_UTF8, name, len, true))
		return ms_utf8_to_server(name, len);
	return pg_any_to_server(name, len, PG_LATIN1);
}

/* A name at the current token; NULL when there is none. */
static char *
take_name(Scanner *s)
{
	char	   *name = s->text ? name_to_server(s->text) : NULL;

	if (s->kind != TOKEN_WORD && s->kind != TOKEN_NAME)
		return NULL;
	next(s);
	return name;
}

/* [db.]table; false when there is none. */
static bool
take_table(Scanner *s, MsStatement *statement)
{
	MsTableName *name = palloc(sizeof(MsTableName));
	char	   *first = take_name(s);

	if (first == NULL)
		return false;
	if (accept_punct(s, '.'))
	{
		name->db = first;
		name->table = take_name(s);
		if (name->table == NULL)
			return false;
	}
	else
	{
		name->db = pstrdup(s->default_db);
		name->table = first;
	}
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
scan_index(Scanner *s, MsStatement *statement, const char *verb)
{
	while (s->kind != TOKEN_END && !is_word(s, "ON"))
		next(s);
	if (accept(s, "ON") && take_table(s, statement))
		set_kind(statement, MS_STMT_TABLE_DDL, verb);
}

static void
scan_create(Scanner *s, MsStatement *statement)
{
	if (accept(s, "OR"))
		accept(s, "REPLACE");
	if (is_word(s, "TEMPORARY"))
		return;
	if (accept(s, "TABLE"))
	{
		if (accept(s, "IF"))
		{
			accept(s, "NOT");
			accept(s, "EXISTS");
			statement->if_not_exists = true;
		}
		if (take_table(s, statement))
			set_kind(statement, MS_STMT_CREATE_TABLE, "CREATE TABLE");
		return;
	}
	if (is_word(s, "UNIQUE") || is_word(s, "FULLTEXT") || is_word(s, "SPATIAL"))
		next(s);
	if (accept(s, "INDEX"))
		scan_index(s, statement, "CREATE INDEX");
}

static void
scan_alter(Scanner *s, MsStatement *statement)
{
	while (is_word(s, "ONLINE") || is_word(s, "IGNORE"))
		next(s);
	if (!accept(s, "TABLE"))
		return;
	accept_if_exists(s);
	if (!take_table(s, statement))
		return;
	set_kind(statement, MS_STMT_TABLE_DDL, "ALTER TABLE");

	/* RENAME [TO | AS | =] name, but not RENAME COLUMN, INDEX, KEY */
	while (s->kind != TOKEN_END)
	{
		if (!accept(s, "RENAME"))
		{
			next(s);
			continue;
		}
		if (is_word(s, "COLUMN") || is_word(s, "INDEX") || is_word(s, "KEY"))
			continue;
		if (!accept(s, "TO") && !accept(s, "AS"))
			accept_punct(s, '=');
		take_table(s, statement);
	}
}

static void
scan_drop(Scanner *s, MsStatement *statement)
{
	if (is_word(s, "TEMPORARY"))
		return;
	if (accept(s, "TABLE") || accept(s, "TABLES"))
	{
		accept_if_exists(s);
		do
		{
			if (!take_table(s, statement))
				break;
		} while (accept_punct(s, ','));
		set_kind(statement, MS_STMT_TABLE_DDL, "DROP TABLE");
	}
	else if (accept(s, "INDEX"))
		scan_index(s, statement, "DROP INDEX");
	else if (accept(s, "DATABASE") || accept(s, "SCHEMA"))
	{
		accept_if_exists(s);
		statement->db = take_name(s);
		if (statement->db)
			set_kind(statement, MS_STMT_DROP_DATABASE, "DROP DATABASE");
	}
}

/* RENAME TABLE a TO b, c TO d: all of them change */
static void
scan_rename(Scanner *s, MsStatement *statement)
{
	if (!accept(s, "TABLE") && !accept(s, "TABLES"))
		return;
	accept_if_exists(s);
	do
	{
		if (!take_table(s, statement))
			break;
		/* WAIT n, NOWAIT */
		while (s->kind != TOKEN_END && !is_word(s, "TO"))
			next(s);
		if (!accept(s, "TO") || !take_table(s, statement))
			break;
	} while (accept_punct(s, ','));
	set_kind(statement, MS_STMT_TABLE_DDL, "RENAME TABLE");
}

static void
scan_xa(Scanner *s, MsStatement *statement)
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
		if (is_word(s, kinds[i].word))
			set_kind(statement, kinds[i].kind, kinds[i].verb);
	}
}

/* SET STATEMENT variable = value, ... FOR statement */
static void
skip_set_statement(Scanner *s)
{
	const char *p = s->p;

	if (!is_word(s, "SET"))
		return;
	next(s);
	if (!is_word(s, "STATEMENT"))
	{
		/* a plain SET */
		s->p = p;
		return;
	}
	while (s->kind != TOKEN_END && !is_word(s, "FOR"))
		next(s);
	accept(s, "FOR");
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
	Scanner		s = {0};

	memset(statement, 0, sizeof(*statement));
	set_kind(statement, MS_STMT_OTHER, "statement");
	s.p = sql;
	s.end = sql + len;
	s.default_db = default_db;
	s.sql_mode = sql_mode;

	next(&s);
	skip_set_statement(&s);
	for (int i = 0; i < (int) lengthof(dml); i++)
	{
		if (is_word(&s, dml[i]))
		{
			set_kind(statement, MS_STMT_DML, dml[i]);
			return;
		}
	}
	if (accept(&s, "COMMIT"))
		set_kind(statement, MS_STMT_COMMIT, "COMMIT");
	else if (accept(&s, "ROLLBACK"))
	{
		if (s.kind == TOKEN_END)
			set_kind(statement, MS_STMT_ROLLBACK, "ROLLBACK");
		else
			set_kind(statement, MS_STMT_SAVEPOINT, "ROLLBACK TO");
	}
	else if (accept(&s, "SAVEPOINT"))
		set_kind(statement, MS_STMT_SAVEPOINT, "SAVEPOINT");
	else if (accept(&s, "XA"))
		scan_xa(&s, statement);
	else if (accept(&s, "TRUNCATE"))
	{
		accept(&s, "TABLE");
		if (take_table(&s, statement))
			set_kind(statement, MS_STMT_TRUNCATE, "TRUNCATE");
	}
	else if (accept(&s, "CREATE"))
		scan_create(&s, statement);
	else if (accept(&s, "ALTER"))
		scan_alter(&s, statement);
	else if (accept(&s, "DROP"))
		scan_drop(&s, statement);
	else if (accept(&s, "RENAME"))
		scan_rename(&s, statement);
}
