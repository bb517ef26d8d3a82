/*
 * typemap.h - MariaDB types, charsets and table definitions in PostgreSQL's
 * words.
 */
#ifndef MS_TYPEMAP_H
#define MS_TYPEMAP_H

#include "lib/stringinfo.h"
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
extern char *ms_typemap_constraint_name(const MsSourceForeignKey *fk);
extern List *ms_typemap_create_foreign_keys(const MsSourceTable *table,
											const char *schema,
											const char *relname,
											const MsSubscriptionOptions *options);

extern List *ms_typemap_create_matching_indexes(const MsSourceTable *table,
												const char *schema,
												const char *relname);
extern bool ms_typemap_compares_characters(const MsSourceColumn *source);
extern char *ms_typemap_comparable(const MsSourceColumn *source,
								   const char *expression);
extern char *ms_typemap_beyond_ascii(const char *expression);

extern bool ms_typemap_wants_not_null(const MsSourceTable *table,
									  const MsSourceColumn *col,
									  const MsSubscriptionOptions *options);
extern bool ms_typemap_is_identity(const MsSourceColumn *col,
								   const char *type);
extern char *ms_typemap_column_type(StringInfo statements,
									const MsSourceColumn *col,
									const char *schema, const char *relname,
									List **taken,
									const MsSubscriptionOptions *options);
extern MsSourceIndex *ms_typemap_table_key(const MsSourceTable *table);
extern bool ms_typemap_is_portable_index(const MsSourceTable *table,
										 const MsSourceIndex *index);
extern bool ms_typemap_is_index_name(const char *relname,
									 const char *index_name,
									 const char *name);
extern char *ms_typemap_index_name(const char *schema, const char *relname,
								   const char *index_name, List *taken);
extern char *ms_typemap_create_index(const MsSourceTable *table,
									 const MsSourceIndex *index,
									 const char *schema, const char *relname,
									 List **taken);

/* typemap_loss.c */
extern List *ms_typemap_lost_indexes(const MsSourceTable *table);
extern List *ms_typemap_lost_defaults(const MsSourceTable *table,
									  const MsSubscriptionOptions *options);
extern List *ms_typemap_computed_columns(const MsSourceTable *table);
extern List *ms_typemap_loose_keys(const MsSourceTable *table);
extern List *ms_typemap_losses(const MsSourceTable *table,
							   const MsSubscriptionOptions *options);
extern List *ms_typemap_differences(const MsSourceTable *table);

/* typemap_default.c */
extern char *ms_typemap_expression(const MsColumn *col, const char *text,
								   const char *type);
extern char *ms_typemap_default(const MsSourceColumn *source,
								const char *type,
								const MsSubscriptionOptions *options,
								bool *lost);
extern char *ms_typemap_added_value(const MsSourceColumn *source,
									const char *type, bool *known);

/* typemap_change.c */
extern char *ms_typemap_value_change(const MsSourceColumn *old,
									 const MsSourceColumn *new);

/* charset.c */
extern bool ms_charset_bind(const char *charset, MsTranscodeFn *transcode,
							const void **arg);

/* collation.c */
extern const char *ms_collation_charset(uint32 collation);

#endif							/* MS_TYPEMAP_H */
