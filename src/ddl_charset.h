/*
 * ddl_charset.h - character sets of columns, as a statement leaves them.
 */
#ifndef MS_DDL_CHARSET_H
#define MS_DDL_CHARSET_H

#include "ddl_parse.h"

extern void ms_ddl_set_utf8(bool is_utf8mb4);
extern bool ms_ddl_has_default_collations(void);
extern void ms_ddl_set_default_collation(const char *charset,
										 const char *collation);

extern char *ms_ddl_collation_charset(const char *collation);
extern void ms_ddl_resolve_charset(char **charset, char **collation,
								   const char *table_collation);
extern int	ms_ddl_charset_width(const char *charset);
extern int	ms_ddl_character_width(const MsSourceColumn *col);
extern void ms_ddl_set_long_type(MsSourceColumn *col, bool is_text,
								 int64 octets);
extern void ms_ddl_set_column_charset(MsSourceColumn *col,
									  const char *table_collation);
extern void ms_ddl_convert_charset(MsSourceTable *table,
								   const MsClause *clause);

#endif							/* MS_DDL_CHARSET_H */
