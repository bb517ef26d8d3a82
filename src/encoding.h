/*
 * encoding.h - names and statements between the source's UTF-8 and the
 * server's encoding.
 */
#ifndef MS_ENCODING_H
#define MS_ENCODING_H

extern char *ms_utf8_to_server(const char *utf8, int len);
extern char *ms_client_to_server(const char *text, int len, int collation);
extern char *ms_server_to_utf8(const char *text);

#endif							/* MS_ENCODING_H */
