/*
 * typemap_expression.c - column defaults that are expressions, in PostgreSQL's
 * words.
 *
 * Part of the typemap room.  Understands what means the same on both sides for
 * certain: numbers with + - *, texts and CONCAT, UUID() and CURRENT_DATE.  All
 * else has no answer.
 */
#include "postgres.h"

#include <ctype.h>

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "ddl_token.h"
#include "typemap.h"

/* What a part of the expression is. */
typedef enum Class
{
	CLASS_UNKNOWN,
	CLASS_NUMBER,
	CLASS_TEXT,
	CLASS_UUID,
	CLASS_DATE
} Class;

static Class read_sum(MsScanner *s, StringInfo buf);

static bool
at_punct(const MsScanner *s, char punct)
{
	return s->kind == MS_TOKEN_PUNCT && s->punct == punct;
}

/* In numeric no sum of integers overflows on its way to the column. */
static Class
read_number(MsScanner *s, StringInfo buf)
{
	const char *start = s->text;

	if (strspn(start, "0123456789") != strlen(start))
		return CLASS_UNKNOWN;
	appendStringInfoString(buf, start);
	ms_token_next(s);
	if (ms_token_accept_punct(s, '.'))
	{
		if (s->kind != MS_TOKEN_WORD ||
			strspn(s->text, "0123456789") != strlen(s->text))
			return CLASS_UNKNOWN;
		appendStringInfo(buf, ".%s", s->text);
		ms_token_next(s);
	}
	appendStringInfoString(buf, "::numeric");
	return CLASS_NUMBER;
}

/* 'a' 'b' is 'ab'. */
static Class
read_text(MsScanner *s, StringInfo buf)
{
	StringInfoData text;

	initStringInfo(&text);
	while (s->kind == MS_TOKEN_STRING)
	{
		appendStringInfoString(&text, s->text);
		ms_token_next(s);
	}
	appendStringInfo(buf, "%s::text", quote_literal_cstr(text.data));
	return CLASS_TEXT;
}

static bool
read_no_arguments(MsScanner *s)
{
	return ms_token_accept_punct(s, '(') && ms_token_accept_punct(s, ')');
}

static Class
read_concat(MsScanner *s, StringInfo buf)
{
	bool		first = true;

	if (!ms_token_accept_punct(s, '('))
		return CLASS_UNKNOWN;
	appendStringInfoChar(buf, '(');
	do
	{
		Class		class;

		if (!first)
			appendStringInfoString(buf, " || ");
		first = false;
		class = read_sum(s, buf);
		if (class == CLASS_UUID)
			appendStringInfoString(buf, "::text");
		else if (class != CLASS_TEXT)
			return CLASS_UNKNOWN;
	} while (ms_token_accept_punct(s, ','));
	appendStringInfoChar(buf, ')');
	return ms_token_accept_punct(s, ')') ? CLASS_TEXT : CLASS_UNKNOWN;
}

static Class
read_factor(MsScanner *s, StringInfo buf)
{
	if (at_punct(s, '-') || at_punct(s, '+'))
	{
		appendStringInfo(buf, "(%c", s->punct);
		ms_token_next(s);
		if (read_factor(s, buf) != CLASS_NUMBER)
			return CLASS_UNKNOWN;
		appendStringInfoChar(buf, ')');
		return CLASS_NUMBER;
	}
	if (ms_token_accept_punct(s, '('))
	{
		Class		class;

		appendStringInfoChar(buf, '(');
		class = read_sum(s, buf);
		appendStringInfoChar(buf, ')');
		return ms_token_accept_punct(s, ')') ? class : CLASS_UNKNOWN;
	}
	if (s->kind == MS_TOKEN_STRING)
		return read_text(s, buf);
	if (s->kind != MS_TOKEN_WORD)
		return CLASS_UNKNOWN;
	if (isdigit((unsigned char) s->text[0]))
		return read_number(s, buf);
	if (ms_token_accept(s, "CONCAT"))
		return read_concat(s, buf);
	if (ms_token_accept(s, "UUID"))
	{
		appendStringInfoString(buf, "gen_random_uuid()");
		return read_no_arguments(s) ? CLASS_UUID : CLASS_UNKNOWN;
	}
	if (ms_token_is(s, "CURDATE") || ms_token_is(s, "CURRENT_DATE"))
	{
		ms_token_next(s);
		appendStringInfoString(buf, "CURRENT_DATE");
		return !at_punct(s, '(') || read_no_arguments(s) ? CLASS_DATE :
			CLASS_UNKNOWN;
	}
	if ((ms_token_accept(s, "_utf8mb4") || ms_token_accept(s, "_utf8mb3") ||
		 ms_token_accept(s, "_utf8")) && s->kind == MS_TOKEN_STRING)
		return read_text(s, buf);
	return CLASS_UNKNOWN;
}

static Class
read_product(MsScanner *s, StringInfo buf)
{
	Class		class = read_factor(s, buf);

	while (class == CLASS_NUMBER && ms_token_accept_punct(s, '*'))
	{
		appendStringInfoString(buf, " * ");
		class = read_factor(s, buf) == CLASS_NUMBER ? CLASS_NUMBER : CLASS_UNKNOWN;
	}
	return class;
}

static Class
read_sum(MsScanner *s, StringInfo buf)
{
	Class		class = read_product(s, buf);

	while (class == CLASS_NUMBER && (at_punct(s, '+') || at_punct(s, '-')))
	{
		appendStringInfo(buf, " %c ", s->punct);
		ms_token_next(s);
		class = read_product(s, buf) == CLASS_NUMBER ? CLASS_NUMBER : CLASS_UNKNOWN;
	}
	return class;
}

/*
 * The expression for a column of that kind whose target has that type; NULL
 * when it is not understood, or is of another kind.
 */
char *
ms_typemap_expression(const MsColumn *col, const char *text, const char *type)
{
	MsScanner	s;
	StringInfoData buf;
	Class		class;

	ms_token_begin(&s, text, strlen(text), 0);
	initStringInfo(&buf);
	class = read_sum(&s, &buf);
	if (s.kind != MS_TOKEN_END)
		return NULL;
	switch (class)
	{
		case CLASS_NUMBER:
			if ((col->kind == MS_KIND_INT || col->kind == MS_KIND_UINT ||
				 col->kind == MS_KIND_DECIMAL || col->kind == MS_KIND_FLOAT ||
				 col->kind == MS_KIND_DOUBLE) && strcmp(type, "boolean") != 0)
				return psprintf("(%s)", buf.data);
			return NULL;
		case CLASS_TEXT:
			return col->kind == MS_KIND_TEXT ? psprintf("(%s)", buf.data) : NULL;
		case CLASS_UUID:
			if (strcmp(type, "uuid") == 0)
				return buf.data;
			return col->kind == MS_KIND_TEXT ? psprintf("(%s)::text", buf.data) : NULL;
		case CLASS_DATE:
			return col->kind == MS_KIND_DATE ? buf.data : NULL;
		case CLASS_UNKNOWN:
			break;
	}
	return NULL;
}
