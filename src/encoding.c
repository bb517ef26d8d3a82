/*
 * encoding.c - names and statements between the source's UTF-8 and the
 * server's encoding.
 *
 * PostgreSQL converts between two encodings only inside a transaction, and
 * workers talk to the source outside of any.  What is ASCII needs neither;
 * what is not goes to the server's encoding character by character, with a
 * conversion that every process has at hand.  Values of columns are
 * charset.c's.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "encoding.h"

static bool
needs_conversion(const char *text, int len)
{
	if (GetDatabaseEncoding() == PG_UTF8 ||
		GetDatabaseEncoding() == PG_SQL_ASCII)
		return false;
	for (int i = 0; i < len; i++)
		if (IS_HIGHBIT_SET(text[i]))
			return true;
	return false;
}

/* One character; a question mark where the server's encoding lacks it. */
static void
append_character(StringInfo buf, const char *utf8)
{
	MemoryContext cxt = CurrentMemoryContext;
	char		converted[MAX_UNICODE_EQUIVALENT_STRING + 1] = "?";

	/* a conversion touches nothing, so no subtransaction */
	PG_TRY();
	{
		pg_unicode_to_server(utf8_to_unicode((const unsigned char *) utf8),
							 (unsigned char *) converted);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(cxt);
		FlushErrorState();
		strcpy(converted, "?");
	}
	PG_END_TRY();
	appendStringInfoString(buf, converted);
}

/*
 * Text of the source, which need not end with a NUL byte, in the server's
 * encoding.  A new string in the current context.
 */
char *
ms_utf8_to_server(const char *utf8, int len)
{
	StringInfoData buf;

	if (!needs_conversion(utf8, len))
		return pnstrdup(utf8, len);
	initStringInfo(&buf);
	for (int i = 0; i < len;)
	{
		int			size = pg_utf_mblen((const unsigned char *) utf8 + i);

		if (!IS_HIGHBIT_SET(utf8[i]))
			appendStringInfoChar(&buf, utf8[i]);
		else if (size <= len - i &&
				 pg_utf8_islegal((const unsigned char *) utf8 + i, size))
			append_character(&buf, utf8 + i);
		else
		{
			appendStringInfoChar(&buf, '?');
			size = 1;
		}
		i += size;
	}
	return buf.data;
}

/*
 * A statement for the source.  May be the text itself; one that is not ASCII
 * needs a transaction.
 */
char *
ms_server_to_utf8(const char *text)
{
	if (!needs_conversion(text, strlen(text)))
		return unconstify(char *, text);
	return pg_server_to_any(text, strlen(text), PG_UTF8);
}

/* The encoding of a character set of MariaDB's clients, by a collation's id. */
static int
collation_encoding(int collation)
{
	static const struct
	{
		int			collation;
		int			encoding;
	}			ids[] = {
		{5, PG_WIN1252}, {8, PG_WIN1252}, {15, PG_WIN1252},
		{31, PG_WIN1252}, {47, PG_WIN1252}, {48, PG_WIN1252},
		{49, PG_WIN1252}, {94, PG_WIN1252},
		{9, PG_LATIN2}, {21, PG_LATIN2}, {77, PG_LATIN2},
		{30, PG_LATIN5}, {78, PG_LATIN5},
		{26, PG_WIN1250}, {34, PG_WIN1250}, {44, PG_WIN1250},
		{66, PG_WIN1250}, {99, PG_WIN1250},
		{14, PG_WIN1251}, {23, PG_WIN1251}, {50, PG_WIN1251},
		{51, PG_WIN1251}, {52, PG_WIN1251},
		{57, PG_WIN1256}, {67, PG_WIN1256},
		{29, PG_WIN1257}, {58, PG_WIN1257}, {59, PG_WIN1257},
		{7, PG_KOI8R}, {74, PG_KOI8R}, {22, PG_KOI8U}, {75, PG_KOI8U},
		{36, PG_WIN866}, {68, PG_WIN866}, {25, PG_ISO_8859_7},
		{70, PG_ISO_8859_7}, {16, PG_ISO_8859_8}, {71, PG_ISO_8859_8},
		{12, PG_EUC_JP}, {91, PG_EUC_JP}, {97, PG_EUC_JP}, {98, PG_EUC_JP},
		{13, PG_SJIS}, {88, PG_SJIS}, {95, PG_SJIS}, {96, PG_SJIS},
		{19, PG_EUC_KR}, {85, PG_EUC_KR}, {24, PG_EUC_CN}, {86, PG_EUC_CN},
		{28, PG_GBK}, {87, PG_GBK}, {1, PG_BIG5}, {84, PG_BIG5},
	};

	for (int i = 0; i < (int) lengthof(ids); i++)
		if (ids[i].collation == collation)
			return ids[i].encoding;
	return PG_UTF8;
}

/*
 * A statement as a client of the source wrote it, collation being that of its
 * session.  What is not valid in that character set becomes a question mark.
 * Needs a transaction.
 */
char *
ms_client_to_server(const char *text, int len, int collation)
{
	int			encoding = collation_encoding(collation);
	char	   *copy = pnstrdup(text, len);

	len = strlen(copy);
	if (encoding == PG_UTF8)
		return ms_utf8_to_server(copy, len);
	if (pg_encoding_verifymbstr(encoding, copy, len) == len)
		return pg_any_to_server(copy, len, encoding);
	for (char *p = copy; *p; p++)
		if (IS_HIGHBIT_SET(*p))
			*p = '?';
	return copy;
}
