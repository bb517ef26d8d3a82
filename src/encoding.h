/*
 * encoding.h - names and statements between the source's UTF-8 and the
 * server's encoding.
 */
#ifndef MS_ENCODING_H
#define MS_ENCODING_H

#include "mb/pg_wchar.h"

/* ASCII's SUBSTITUTE, for a character that the server's encoding lacks */
#define MS_LOST_CHARACTER	'\x1A'

/*
 * Is text of the source no longer what it was?  A name, or the label of an
 * ENUM, would be another one.
 */
static inline bool
ms_has_lost_characters(const char *text)
{
	return strchr(text, MS_LOST_CHARACTER) != NULL &&
		GetDatabaseEncoding() != PG_UTF8 &&
		GetDatabaseEncoding() != PG_SQL_ASCII;
}

extern char *ms_utf8_to_server(const char *utf8, int len);
extern char *ms_client_to_server(const char *text, int len, int collation);
extern char *ms_server_to_utf8(const char *text);

#endif							/* MS_ENCODING_H */
