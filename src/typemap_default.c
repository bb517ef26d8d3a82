/*
 * typemap_default.c - MariaDB's column defaults in PostgreSQL's words.
 *
 * Two questions: which DEFAULT does the target column get, and which value do
 * the rows have that are there when a column is added.  The second must be
 * exact: what is not certain has no answer here, and the rows are copied.
 */
#include "postgres.h"

#include <ctype.h>

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "ddl_token.h"
#include "encoding.h"
#include "typemap.h"

/* The text of a quoted literal, or NULL if the default is something else. */
static char *
literal_text(const char *text)
{
	MsScanner	s;
	char	   *result;

	ms_token_begin(&s, text, strlen(text), 0);
	if (s.kind != MS_TOKEN_STRING || ms_has_lost_characters(s.text))
		return NULL;
	result = s.text;
	ms_token_next(&s);
	return s.kind == MS_TOKEN_END ? result : NULL;
}

/* Does the text look like the pattern?  9 stands for a digit. */
static bool
looks_like(const char *text, const char *pattern)
{
	for (; *pattern; text++, pattern++)
		if (*pattern == '9' ? !isdigit((unsigned char) *text) :
			*text != *pattern)
			return false;
	return *text == '\0';
}

/* A fraction at the end, as many digits as the column has. */
static char *
without_fraction(const char *text, int fsp)
{
	const char *dot = strchr(text, '.');

	if (dot == NULL || strlen(dot + 1) > (size_t) fsp ||
		strspn(dot + 1, "0123456789") != strlen(dot + 1))
		return pstrdup(text);
	return pnstrdup(text, dot - text);
}

static bool
is_number(const char *text, bool whole)
{
	const char *p = text;
	int			digits;

	if (*p == '-' || *p == '+')
		p++;
	digits = strspn(p, "0123456789");
	p += digits;
	if (*p == '.' && !whole)
	{
		p++;
		digits += strspn(p, "0123456789");
		p += strspn(p, "0123456789");
	}
	return digits > 0 && *p == '\0';
}

static char *
number_default(const MsColumn *col, const char *text, const char *type)
{
	const char *dot = strchr(text, '.');

	if (!is_number(text, col->kind == MS_KIND_INT || col->kind == MS_KIND_UINT ||
				   col->kind == MS_KIND_YEAR))
		return NULL;
	if (col->kind == MS_KIND_YEAR && strlen(text) != 4)
		return NULL;
	if (col->kind == MS_KIND_DECIMAL && dot && strlen(dot + 1) > (size_t) col->scale)
		return NULL;
	if (strcmp(type, "boolean") == 0)
		return strtol(text, NULL, 10) == 0 ? "false" : "true";
	return pstrdup(text);
}

static char *
temporal_default(const MsColumn *col, const char *text)
{
	char	   *whole = without_fraction(text, col->fsp);

	if (col->kind != MS_KIND_TIME &&
		(strstr(text, "-00") || strncmp(text, "0000", 4) == 0))
		return NULL;			/* a policy decides */
	switch (col->kind)
	{
		case MS_KIND_DATE:
			return looks_like(text, "9999-99-99") ? quote_literal_cstr(text) : NULL;
		case MS_KIND_DATETIME:
			if (col->zone)
				return NULL;
			/* statements may leave out what is zero */
			return looks_like(whole, "9999-99-99 99:99:99") ||
				looks_like(text, "9999-99-99 99:99") ||
				looks_like(text, "9999-99-99") ?
				quote_literal_cstr(text) : NULL;
		case MS_KIND_TIME:
			if (*whole == '-')
				whole++;
			return looks_like(whole, "99:99:99") || looks_like(whole, "999:99:99") ||
				looks_like(text, "99:99") ? quote_literal_cstr(text) : NULL;
		default:
			return NULL;
	}
}

/* Members in the order of the definition, as a value has them. */
static char *
set_default(const MsSourceColumn *source, const char *text)
{
	StringInfoData array;
	char	   *members = psprintf(",%s,", text);
	int			count = 0;
	int			wanted = text[0] ? 1 : 0;
	ListCell   *lc;

	for (const char *p = text; *p; p++)
		wanted += *p == ',';
	initStringInfo(&array);
	appendStringInfoString(&array, "ARRAY[");
	foreach(lc, source->labels)
	{
		if (text[0] == '\0' || !strstr(members, psprintf(",%s,", (char *) lfirst(lc))))
			continue;
		appendStringInfo(&array, "%s%s", count++ ? ", " : "",
						 quote_literal_cstr(lfirst(lc)));
	}
	appendStringInfoString(&array, "]::text[]");
	return count == wanted ? array.data : NULL;
}

static char *
bit_literal(const MsColumn *col, const char *digits)
{
	int			len = strlen(digits);
	StringInfoData buf;

	if (len == 0 || len > (int) col->length ||
		strspn(digits, "01") != (size_t) len)
		return NULL;
	initStringInfo(&buf);
	appendStringInfoString(&buf, "B'");
	for (int i = len; i < (int) col->length; i++)
		appendStringInfoChar(&buf, '0');
	appendStringInfo(&buf, "%s'", digits);
	return buf.data;
}

/*
 * Bytes, as x'00', 0x00 or text.  Before 11 information_schema shows them as
 * text, in which a question mark may be any byte beyond ASCII.
 */
static char *
bytes_default(const MsColumn *col, const char *text, const char *type)
{
	char	   *literal = literal_text(text);
	StringInfoData buf;
	int			len;

	if (strcmp(type, "bytea") != 0)
		return NULL;
	initStringInfo(&buf);
	appendStringInfoString(&buf, "'\\x");
	if (literal)
	{
		for (const char *p = text; *p; p++)
		{
			if (*p < ' ' || *p > '~' || *p == '?')
				return NULL;
			/* a NUL would end the literal for us; \\ is one character */
			if (*p == '\\' && *++p == '0')
				return NULL;
		}
		for (const char *p = literal; *p; p++)
			appendStringInfo(&buf, "%02x", (unsigned char) *p);
		len = strlen(literal);
	}
	else if ((text[0] == 'x' || text[0] == 'X' || text[0] == '0') &&
			 (text[1] == '\'' || text[1] == 'x'))
	{
		const char *digits = text + 2;

		len = strspn(digits, "0123456789abcdefABCDEF");
		if (len % 2 != 0 ||
			strcmp(digits + len, text[1] == '\'' ? "'" : "") != 0)
			return NULL;
		appendBinaryStringInfo(&buf, digits, len);
		len /= 2;
	}
	else
		return NULL;
	for (; len < (int) col->length; len++)
		appendStringInfoString(&buf, "00");
	appendStringInfoString(&buf, "'::bytea");
	return buf.data;
}

/* b'101', or the number that it is */
static char *
bit_default(const MsColumn *col, const char *text)
{
	char	   *digits;
	int			value;

	if ((text[0] == 'b' || text[0] == 'B') && text[1] == '\'')
		return bit_literal(col, pnstrdup(text + 2, strcspn(text + 2, "'")));
	if (strlen(text) > 9 || strspn(text, "0123456789") != strlen(text))
		return NULL;
	digits = palloc0(33);
	value = atoi(text);
	for (int i = 0; i < 32; i++)
		digits[i] = (value >> (31 - i)) & 1 ? '1' : '0';
	while (digits[0] == '0' && digits[1] != '\0')
		digits++;
	return bit_literal(col, digits);
}

static char *
text_default(const MsColumn *col, const MsSourceColumn *source,
			 const char *text, const char *type)
{
	char	   *copy = pstrdup(text);
	ListCell   *lc;

	switch (col->kind)
	{
		case MS_KIND_TEXT:
			for (int len = strlen(copy); col->is_char && len > 0 && copy[len - 1] == ' ';)
				copy[--len] = '\0';
			return quote_literal_cstr(copy);
		case MS_KIND_ENUM:
			foreach(lc, source->labels)
				if (strcmp(lfirst(lc), text) == 0)
				return quote_literal_cstr(text);
			return NULL;
		case MS_KIND_SET:
			return strcmp(type, "text[]") == 0 ? set_default(source, text) : NULL;
		case MS_KIND_JSON:
		case MS_KIND_UUID:
		case MS_KIND_INET4:
		case MS_KIND_INET6:
			return quote_literal_cstr(text);
		default:
			return NULL;
	}
}

/* Is it a number that a BIGINT UNSIGNED can have, and not its target? */
static bool
is_out_of_range(const MsColumn *col, const char *text, const char *type)
{
	return col->kind == MS_KIND_UINT && strcmp(type, "bigint") == 0 &&
		is_number(text, true) && strtou64(text, NULL, 10) > PG_INT64_MAX;
}

/* A default that is the same for every row; NULL if it is not one. */
static char *
constant_default(const MsColumn *col, const MsSourceColumn *source,
				 const char *type)
{
	const char *text = source->default_text;
	char	   *literal = literal_text(text);

	switch (col->kind)
	{
		case MS_KIND_INT:
		case MS_KIND_UINT:
		case MS_KIND_DECIMAL:
		case MS_KIND_FLOAT:
		case MS_KIND_DOUBLE:
		case MS_KIND_YEAR:
			text = literal ? literal : text;
			return is_out_of_range(col, text, type) ? NULL :
				number_default(col, text, type);
		case MS_KIND_DATE:
		case MS_KIND_DATETIME:
		case MS_KIND_TIME:
			return literal ? temporal_default(col, literal) : NULL;
		case MS_KIND_BIT:
			return bit_default(col, text);
		case MS_KIND_BYTES:
			return bytes_default(col, text, type);
		case MS_KIND_TEXT:
			/* a number is the text that it is written as */
			if (literal == NULL && strspn(text, "0123456789") == strlen(text) &&
				(text[0] != '0' || text[1] == '\0'))
				literal = pstrdup(text);
			/* FALLTHROUGH */
		default:
			return literal ? text_default(col, source, literal, type) : NULL;
	}
}

static bool
has_default(const MsSourceColumn *source)
{
	return source->default_text && pg_strcasecmp(source->default_text, "NULL") != 0 &&
		!source->generated && !source->auto_increment;
}

/*
 * nextval(`db`.`sequence`), of the sequence that stands for it here if there
 * is one.  NULL when it is something else.
 */
static char *
sequence_default(const MsColumn *col, const char *text, const char *type,
				 const MsSubscriptionOptions *options)
{
	MsScanner	s;
	const char *schema;
	char	   *db;
	char	   *name;
	Oid			namespace;
	Oid			relid;

	if ((col->kind != MS_KIND_INT && col->kind != MS_KIND_UINT &&
		 col->kind != MS_KIND_DECIMAL) || strcmp(type, "boolean") == 0)
		return NULL;
	ms_token_begin(&s, text, strlen(text), 0);
	if (!ms_token_accept(&s, "NEXTVAL") || !ms_token_accept_punct(&s, '('))
		return NULL;
	db = ms_token_name(&s);
	if (db == NULL || !ms_token_accept_punct(&s, '.'))
		return NULL;
	name = ms_token_name(&s);
	if (name == NULL || !ms_token_accept_punct(&s, ')') ||
		s.kind != MS_TOKEN_END)
		return NULL;
	schema = ms_options_schema(options, db);
	namespace = get_namespace_oid(schema, true);
	relid = OidIsValid(namespace) ? get_relname_relid(name, namespace) :
		InvalidOid;
	if (!OidIsValid(relid) || get_rel_relkind(relid) != RELKIND_SEQUENCE)
		return NULL;
	return psprintf("pg_catalog.nextval(%s::pg_catalog.regclass)",
					quote_literal_cstr(quote_qualified_identifier(schema, name)));
}

/*
 * The DEFAULT of the column in a target of that type; NULL when it has none
 * or one that PostgreSQL does not have, which sets *lost.  Needs a
 * transaction, to see which sequences there are.
 */
char *
ms_typemap_default(const MsSourceColumn *source, const char *type,
				   const MsSubscriptionOptions *options, bool *lost)
{
	MsColumn	col;
	char	   *result;

	*lost = false;
	if (!has_default(source))
		return NULL;
	ms_typemap_init_column(&col, source);
	if (pg_strncasecmp(source->default_text, "current_timestamp", 17) == 0)
	{
		if (col.kind == MS_KIND_TIMESTAMP || col.kind == MS_KIND_DATETIME)
			return psprintf("%s(%d)", strstr(type, "with time zone") ?
							"CURRENT_TIMESTAMP" : "LOCALTIMESTAMP", col.fsp);
		if (col.kind == MS_KIND_DATE)
			return "CURRENT_DATE";
	}
	result = constant_default(&col, source, type);
	if (result == NULL && !is_out_of_range(&col, source->default_text, type))
		result = ms_typemap_expression(&col, source->default_text, type);
	if (result == NULL)
		result = sequence_default(&col, source->default_text, type, options);
	*lost = result == NULL;
	return result;
}

/* What MariaDB takes for a column that must not be NULL and has no default. */
static char *
implicit_default(const MsColumn *col, const MsSourceColumn *source,
				 const char *type)
{
	switch (col->kind)
	{
		case MS_KIND_INT:
		case MS_KIND_UINT:
			return strcmp(type, "boolean") == 0 ? "false" : "0";
		case MS_KIND_DECIMAL:
		case MS_KIND_FLOAT:
		case MS_KIND_DOUBLE:
		case MS_KIND_YEAR:
			return "0";
		case MS_KIND_TIME:
			return "'00:00:00'";
		case MS_KIND_TEXT:
			return "''";
		case MS_KIND_JSON:
			return strncmp(type, "json", 4) == 0 ? "'null'" : "''";
		case MS_KIND_BIT:
			return bit_literal(col, "0");
		case MS_KIND_ENUM:
			return quote_literal_cstr(linitial(source->labels));
		case MS_KIND_SET:
			return strcmp(type, "text[]") == 0 ? "'{}'" : NULL;
		case MS_KIND_BYTES:
			return col->length == 0 ? "''" : NULL;
		default:
			return NULL;
	}
}

/*
 * The value that existing rows have in a column that is added; *known is
 * false when only the source can tell.  NULL for NULL.
 */
char *
ms_typemap_added_value(const MsSourceColumn *source, const char *type,
					   bool *known)
{
	MsColumn	col;
	char	   *result;

	*known = true;
	ms_typemap_init_column(&col, source);
	if (source->generated || source->auto_increment)
	{
		*known = false;
		return NULL;
	}
	if (has_default(source))
		result = constant_default(&col, source, type);
	else if (source->nullable)
		return NULL;
	else
		result = implicit_default(&col, source, type);
	*known = result != NULL;
	return result;
}
