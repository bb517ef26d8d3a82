/*
 * typemap.h - MariaDB types, charsets and table definitions in PostgreSQL's
 * words.
 */
#ifndef MS_TYPEMAP_H
#define MS_TYPEMAP_H

#include "nodes/pg_list.h"

#include "options.h"
#include "remote_schema.h"
#include "value.h"

extern const MsColumnOptions *ms_typemap_column_options(const MsSourceColumn *source,
														const MsSubscriptionOptions *options);
extern const char *ms_typemap_target_name(const MsSourceColumn *source);
extern void ms_source_column_parse_type(MsSourceColumn *col);
extern void ms_source_column_write_labels(MsSourceColumn *col);
extern void ms_typemap_init_column(MsColumn *col, const MsSourceColumn *source);
extern void ms_typemap_bind_target(MsColumn *col, const MsSourceColumn *source,
								   int attidx, Oid typid, int32 typmod,
								   const MsSubscriptionOptions *options);
extern char *ms_typemap_default_type(const MsSourceColumn *source,
									 const MsSubscriptionOptions *options);
extern char *ms_typemap_select_expression(const MsSourceColumn *source);

/* typemap_table.c */
extern char *ms_typemap_create_table(const MsSourceTable *table,
									 const char *schema,
									 const MsSubscriptionOptions *options);
extern List *ms_typemap_create_indexes(const MsSourceTable *table,
									   const char *schema,
									   const char *relname);
extern List *ms_typemap_create_foreign_keys(const MsSourceTable *table,
											const char *schema,
											const char *relname,
											const MsSubscriptionOptions *options);

extern char *ms_typemap_comparable(const MsSourceColumn *source,
								   const char *expression);

/* charset.c */
extern bool ms_charset_bind(const char *charset, MsTranscodeFn *transcode,
							const void **arg);

/* collation.c */
extern const char *ms_collation_charset(uint32 collation);

#endif							/* MS_TYPEMAP_H */
