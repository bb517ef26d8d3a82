/*
 * ddl_token.c - MariaDB's SQL as tokens.
 *
 * Knows quotes, comments (looking into executable ones), ANSI_QUOTES and
 * escapes; no grammar.  Text goes in as the server's encoding has it, or as
 * the client wrote it in some ASCII-compatible character set; names come out
 * in the server's encoding.  Never raises an error: text that ends inside a
 * quote or a comment is what there is of it.
 */
#include "postgres.h"

#include <ctype.h>

#include "mb/pg_wchar.h"

#include "ddl_token.h"
#include "encoding.h"
#include "event.h"

static bool
is_word_char(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '$' ||
		IS_HIGHBIT_SET(c);
}

static bool
starts_with(const MsScanner *s, const char *text)
{
	size_t		len = strlen(text);

	return (size_t) (s->end - s->p) >= len && memcmp(s->p, text, len) == 0;
}

static void
skip_line(MsScanner *s)
{
	while (s->p < s->end && *s->p != '\n')
		s->p++;
}

/* Blanks and comments.  What an executable comment holds is not skipped. */
static void
skip_blanks(MsScanner *s)
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

static char
unescape(char c)
{
	switch (c)
	{
		case 'n':
			return '\n';
		case 'r':
			return '\r';
		case 't':
			return '\t';
		case 'b':
			return '\b';
		case 'Z':
			return '\032';
		case '0':
			return '\0';
		default:
			return c;
	}
}

/* Reads up to the closing quote, which is doubled inside. */
static char *
read_quoted(MsScanner *s, char quote, bool backslash)
{
	char	   *out = palloc(s->end - s->p + 1);
	char	   *o = out;

	s->p++;
	while (s->p < s->end)
	{
		if (backslash && *s->p == '\\' && s->p + 1 < s->end)
		{
			/* for LIKE, and so kept in any string */
			if (s->p[1] == '_' || s->p[1] == '%')
				*o++ = '\\';
			*o++ = unescape(s->p[1]);
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
void
ms_token_next(MsScanner *s)
{
	bool		backslash = (s->sql_mode & MS_SQL_MODE_NO_BACKSLASH) == 0;

	s->previous_end = s->p;
	skip_blanks(s);
	s->text = NULL;
	s->start = s->p;
	if (s->p >= s->end)
		s->kind = MS_TOKEN_END;
	else if (*s->p == '`' ||
			 (*s->p == '"' && (s->sql_mode & MS_SQL_MODE_ANSI_QUOTES)))
	{
		s->kind = MS_TOKEN_NAME;
		s->text = read_quoted(s, *s->p, false);
	}
	else if (*s->p == '[' && (s->sql_mode & MS_SQL_MODE_MSSQL))
	{
		s->kind = MS_TOKEN_NAME;
		s->text = read_quoted(s, ']', false);
	}
	else if (*s->p == '\'' || *s->p == '"')
	{
		s->kind = MS_TOKEN_STRING;
		s->text = read_quoted(s, *s->p, backslash);
	}
	else if (is_word_char(*s->p))
	{
		while (s->p < s->end && is_word_char(*s->p))
			s->p++;
		s->kind = MS_TOKEN_WORD;
		s->text = pnstrdup(s->start, s->p - s->start);
	}
	else
	{
		s->kind = MS_TOKEN_PUNCT;
		s->punct = *s->p++;
	}
}

bool
ms_token_is(const MsScanner *s, const char *word)
{
	return s->kind == MS_TOKEN_WORD && pg_strcasecmp(s->text, word) == 0;
}

/* Step over the word if it is the current token. */
bool
ms_token_accept(MsScanner *s, const char *word)
{
	if (!ms_token_is(s, word))
		return false;
	ms_token_next(s);
	return true;
}

bool
ms_token_accept_punct(MsScanner *s, char c)
{
	if (s->kind != MS_TOKEN_PUNCT || s->punct != c)
		return false;
	ms_token_next(s);
	return true;
}

/* IF EXISTS or IF NOT EXISTS; true when it is there. */
bool
ms_token_accept_if_exists(MsScanner *s)
{
	if (!ms_token_accept(s, "IF"))
		return false;
	ms_token_accept(s, "NOT");
	ms_token_accept(s, "EXISTS");
	return true;
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
char *
ms_token_name(MsScanner *s)
{
	char	   *name = s->text ? name_to_server(s->text) : NULL;

	if (s->kind != MS_TOKEN_WORD && s->kind != MS_TOKEN_NAME)
		return NULL;
	ms_token_next(s);
	return name;
}

/* Has the source its tables and databases in lower case, however written? */
static bool fold_table_names = false;

/* With lower_case_table_names = 1 it has. */
void
ms_token_fold_table_names(bool fold)
{
	fold_table_names = fold;
}

/* The name of a table or database as the source has it. */
static char *
fold(const char *name)
{
	char	   *folded = pstrdup(name);

	for (char *p = folded; fold_table_names && *p; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	return folded;
}

/* ms_token_name() of a table or database. */
char *
ms_token_table_name(MsScanner *s)
{
	char	   *name = ms_token_name(s);

	return name ? fold(name) : NULL;
}

/*
 * [db.]table, which is in default_db when it does not say; that may be NULL.
 * False when there is none.
 */
bool
ms_token_table(MsScanner *s, const char *default_db, char **db, char **table)
{
	*db = default_db ? fold(default_db) : NULL;
	*table = ms_token_table_name(s);
	if (*table && ms_token_accept_punct(s, '.'))
	{
		*db = *table;
		*table = ms_token_table_name(s);
	}
	return *table != NULL;
}

/*
 * Start on a statement; the first token is the current one.
 */
void
ms_token_begin(MsScanner *s, const char *sql, size_t len, uint64 sql_mode)
{
	memset(s, 0, sizeof(*s));
	s->p = sql;
	s->end = sql + len;
	s->sql_mode = sql_mode;
	ms_token_next(s);
}

/* Step over the token, and with a parenthesis over all that is in it. */
void
ms_token_skip(MsScanner *s)
{
	int			depth = 0;

	do
	{
		if (s->kind == MS_TOKEN_END)
			return;
		if (s->kind == MS_TOKEN_PUNCT && s->punct == '(')
			depth++;
		else if (s->kind == MS_TOKEN_PUNCT && s->punct == ')')
			depth--;
		ms_token_next(s);
	} while (depth > 0);
}
