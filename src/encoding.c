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
#include "typemap.h"

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

static void
append_character(StringInfo buf, const char *utf8)
{
	MemoryContext cxt = CurrentMemoryContext;
	char		converted[MAX_UNICODE_EQUIVALENT_STRING + 1];

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
		strcpy(converted, (char[]) {MS_LOST_CHARACTER, '\0'});
	}
	PG_END_TRY();
	appendStringInfoString(buf, converted);
}

/*
 * Text of the source, which need not end with a NUL byte, in the server's
 * encoding.  A new string in the current context, in which
 * ms_has_lost_characters() finds what that encoding lacks.
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

/*
 * A statement as a client of the source wrote it, collation being that of its
 * session.  What is not valid in that character set, or not to be had in the
 * server's encoding, becomes a replacement character.  Needs a transaction.
 */
char *
ms_client_to_server(const char *text, int len, int collation)
{
	const char *charset = ms_collation_charset(collation);
	MsTranscodeFn transcode;
	const void *arg;
	bool		replaced = false;
	uint32		outlen;

	/* nobody writes one, but it would be the end for all that read this */
	len = strnlen(text, len);
	if (charset == NULL || strncmp(charset, "utf8", 4) == 0 ||
		strcmp(charset, "binary") == 0 ||
		!ms_charset_bind(charset, &transcode, &arg))
		return ms_utf8_to_server(text, len);
	text = transcode(arg, text, len, &outlen, &replaced);
	return pnstrdup(text, outlen);
}
