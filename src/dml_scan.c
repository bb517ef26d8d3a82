/*
 * dml_scan.c - which table does a statement write, if that is certain?
 *
 * For statements that arrive in statement format.  Only the plain forms of
 * INSERT, REPLACE, UPDATE, DELETE and LOAD DATA on one table are certain, and
 * only when every function that they call is one of MariaDB's own that is
 * listed here: a stored function could write anything.  Everything else is
 * in doubt.  What the table itself brings about, by triggers and foreign
 * keys or as a view, is not in the text and left to the caller.
 */
#include "postgres.h"

#include "dml_scan.h"

/* What may stand before an opening parenthesis and is not a function. */
static const char *const keywords[] = {
	"ALL", "AND", "ANY", "AS", "BETWEEN", "BY", "DISTINCT", "DIV", "ELSE",
	"EXCEPT", "EXISTS", "FROM", "HAVING", "IN", "INDEX", "INTERSECT",
	"INTERVAL", "JOIN", "KEY", "LIKE", "LIMIT", "NOT", "ON", "OR", "OVER",
	"PARTITION", "REGEXP", "RETURNING", "RLIKE", "SELECT", "SOME", "THEN",
	"UNION", "USING", "VALUE", "VALUES", "WHEN", "WHERE", "XOR"
};

/*
 * Functions that write nothing.  A function of one's own cannot have such a
 * name and be called by it without a database.
 */
static const char *const functions[] = {
	"ABS", "ADDDATE", "ADDTIME", "ASCII", "AVG", "BIN", "BIT_AND",
	"BIT_COUNT", "BIT_OR", "BIT_XOR", "CAST", "CEIL", "CEILING", "CHAR",
	"CHAR_LENGTH", "CHARACTER_LENGTH", "COALESCE", "CONCAT", "CONCAT_WS",
	"CONNECTION_ID", "CONV", "CONVERT", "COUNT", "CRC32", "CURDATE",
	"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER",
	"CURTIME", "DATABASE", "DATE", "DATE_ADD", "DATE_FORMAT", "DATE_SUB",
	"DATEDIFF", "DAY", "DAYOFMONTH", "DAYOFWEEK", "DAYOFYEAR", "DECIMAL",
	"ELT", "EXTRACT", "FIELD", "FIND_IN_SET", "FLOOR", "FORMAT",
	"FROM_DAYS", "FROM_UNIXTIME", "GREATEST", "GROUP_CONCAT", "HEX", "HOUR",
	"IF", "IFNULL", "INET_ATON", "INET_NTOA", "INSTR", "ISNULL",
	"JSON_ARRAY", "JSON_EXTRACT", "JSON_OBJECT", "JSON_UNQUOTE",
	"JSON_VALUE", "LAST_DAY", "LAST_INSERT_ID", "LCASE", "LEAST", "LEFT",
	"LENGTH", "LN", "LOCATE", "LOG", "LOG10", "LOG2", "LOWER", "LPAD",
	"LTRIM", "MAKEDATE", "MAKETIME", "MAX", "MD5", "MICROSECOND", "MID",
	"MIN", "MINUTE", "MOD", "MONTH", "MONTHNAME", "NOW", "NULLIF",
	"NUMERIC", "OCTET_LENGTH", "ORD", "PI", "POSITION", "POW", "POWER",
	"QUARTER", "QUOTE", "RAND", "REPEAT", "REPLACE", "REVERSE", "RIGHT",
	"ROUND", "RPAD", "RTRIM", "SEC_TO_TIME", "SECOND", "SHA", "SHA1", "SHA2",
	"SIGN", "SPACE", "SQRT", "STD", "STDDEV", "STR_TO_DATE", "STRCMP",
	"SUBDATE", "SUBSTR", "SUBSTRING", "SUBSTRING_INDEX", "SUBTIME", "SUM",
	"SYSDATE", "TIME", "TIME_FORMAT", "TIME_TO_SEC", "TIMEDIFF", "TIMESTAMP",
	"TIMESTAMPADD", "TIMESTAMPDIFF", "TO_DAYS", "TRIM", "TRUNCATE", "UCASE",
	"UNHEX", "UNIX_TIMESTAMP", "UPPER", "USER", "UTC_DATE", "UTC_TIME",
	"UTC_TIMESTAMP", "UUID", "UUID_SHORT", "VARCHAR", "VARIANCE", "VERSION",
	"WEEK", "WEEKDAY", "WEEKOFYEAR", "YEAR", "YEARWEEK"
};

static bool
is_listed(const char *word, const char *const *list, int n)
{
	for (int i = 0; i < n; i++)
		if (pg_strcasecmp(word, list[i]) == 0)
			return true;
	return false;
}

/* Step over any of the words. */
static void
skip_words(MsScanner *s, const char *const *words, int n)
{
	while (s->kind == MS_TOKEN_WORD && is_listed(s->text, words, n))
		ms_token_next(s);
}

static bool
is_punct(const MsScanner *s, char c)
{
	return s->kind == MS_TOKEN_PUNCT && s->punct == c;
}

/* Step over a list in parentheses: of columns, of partitions. */
static bool
skip_names(MsScanner *s)
{
	if (!ms_token_accept_punct(s, '('))
		return true;
	while (!is_punct(s, ')'))
	{
		if (s->kind != MS_TOKEN_WORD && s->kind != MS_TOKEN_NAME &&
			!is_punct(s, ',') && !is_punct(s, '.'))
			return false;
		ms_token_next(s);
	}
	ms_token_next(s);
	return true;
}

static bool
take_table(MsScanner *s, const char *default_db, MsTableName *table)
{
	return ms_token_table(s, default_db, &table->db, &table->table) &&
		(!ms_token_accept(s, "PARTITION") || skip_names(s));
}

/* The head of the statement, up to what follows its one table. */
static bool
take_head(MsScanner *s, const char *default_db, MsTableName *table)
{
	static const char *const modifiers[] = {
		"LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE",
		"CONCURRENT", "LOCAL"
	};
	bool		insert = ms_token_is(s, "INSERT") || ms_token_is(s, "REPLACE");

	if (insert || ms_token_is(s, "UPDATE") || ms_token_is(s, "DELETE"))
	{
		bool		update = ms_token_is(s, "UPDATE");

		ms_token_next(s);
		skip_words(s, modifiers, lengthof(modifiers));
		if (insert)
		{
			ms_token_accept(s, "INTO");
			return take_table(s, default_db, table) && skip_names(s);
		}
		if (!update && !ms_token_accept(s, "FROM"))
			return false;
		if (!take_table(s, default_db, table))
			return false;
		/* an alias or another table makes it none of the plain forms */
		if (update)
			return ms_token_is(s, "SET");
		return s->kind == MS_TOKEN_END || ms_token_is(s, "WHERE") ||
			ms_token_is(s, "ORDER") || ms_token_is(s, "LIMIT");
	}
	if (!ms_token_accept(s, "LOAD") || !ms_token_accept(s, "DATA"))
		return false;
	skip_words(s, modifiers, lengthof(modifiers));
	if (!ms_token_accept(s, "INFILE") || s->kind != MS_TOKEN_STRING)
		return false;
	ms_token_next(s);
	if (!ms_token_accept(s, "REPLACE"))
		ms_token_accept(s, "IGNORE");
	return ms_token_accept(s, "INTO") && ms_token_accept(s, "TABLE") &&
		take_table(s, default_db, table);
}

/*
 * Look at a statement that writes rows, in the server's encoding.  Sets table
 * and returns NULL when it is certain that it writes that table's rows and no
 * other's; else returns why not.
 */
const char *
ms_dml_scan(const char *sql, size_t len, const char *default_db,
			uint64 sql_mode, MsTableName *table)
{
	MsScanner	s;
	char	   *word = NULL;	/* the token before, if it was a word ... */
	bool		is_name = false;	/* ... that cannot be a keyword */
	bool		dot = false;	/* the token before was one */

	ms_token_begin(&s, sql, len, sql_mode);
	ms_ddl_skip_set_statement(&s);
	if (!take_head(&s, default_db, table))
		return "it is not a plain change of one table";

	for (; s.kind != MS_TOKEN_END; ms_token_next(&s))
	{
		/* with a blank in between it would be a function of one's own */
		bool		adjacent = s.start == s.previous_end;

		if (is_punct(&s, '(') && word &&
			(is_name ||
			 !(is_listed(word, keywords, lengthof(keywords)) ||
			   (adjacent && is_listed(word, functions, lengthof(functions))))))
			return psprintf("it calls %s()", word);
		/* NEXT VALUE FOR sequence */
		if ((word && pg_strcasecmp(word, "NEXT") == 0 && ms_token_is(&s, "VALUE")) ||
			ms_token_is(&s, "NEXTVAL"))
			return "it moves a sequence on";
		if (s.kind == MS_TOKEN_WORD || s.kind == MS_TOKEN_NAME)
		{
			word = s.text;
			is_name = dot || s.kind == MS_TOKEN_NAME;
		}
		else
			word = NULL;
		dot = is_punct(&s, '.');
	}
	return NULL;
}
