/*
 * remote_schema.h - what the source's information_schema says of its tables.
 */
#ifndef MS_REMOTE_SCHEMA_H
#define MS_REMOTE_SCHEMA_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "wire.h"

typedef struct MsSourceColumn
{
	char	   *name;
	char	   *data_type;		/* DATA_TYPE in lower case: "int", "uuid" */
	char	   *column_type;	/* COLUMN_TYPE: "int(10) unsigned" */
	char	   *charset;		/* CHARACTER_SET_NAME, or NULL */
	char	   *collation;		/* or NULL */
	int64		char_length;	/* CHARACTER_MAXIMUM_LENGTH, 0 if none */
	int			precision;		/* NUMERIC_PRECISION, 0 if none */
	int			scale;			/* NUMERIC_SCALE */
	int			fsp;			/* DATETIME_PRECISION */
	bool		is_unsigned;
	bool		nullable;
	bool		auto_increment;
	char	   *default_text;	/* COLUMN_DEFAULT, an expression; NULL = none */
	char	   *comment;
	char	   *generation;		/* GENERATION_EXPRESSION, or NULL */
	bool		generated;
	bool		on_update_now;
	bool		invisible;
	bool		implicit;		/* a period column that nobody has declared */
	bool		is_json;		/* longtext with a json_valid check */
	char	   *json_check;		/* of this name, if it is not the column's */
	List	   *labels;			/* of char *: ENUM and SET */
	/* set by ms_model_follow(): this column before the statement, or NULL */
	const struct MsSourceColumn *was;
	bool		declared_null;	/* in a statement: NULL is written there */
	/* set by ms_options_bind_columns(); NULL = as all of the subscription */
	const struct MsColumnOptions *options;
} MsSourceColumn;

typedef struct MsSourceIndex
{
	char	   *name;			/* "PRIMARY" for the primary key */
	bool		unique;
	bool		has_prefix;		/* a part indexes only leading characters */
	bool		nullable;		/* a part may be NULL */
	char	   *type;			/* INDEX_TYPE: BTREE, HASH, FULLTEXT, SPATIAL */
	List	   *columns;		/* of char * */
	List	   *prefixes;		/* of int: characters of each column that are
								 * indexed; 0, or at the end nothing = all */
} MsSourceIndex;

typedef struct MsSourceForeignKey
{
	char	   *name;
	List	   *columns;		/* of char * */
	char	   *ref_db;
	char	   *ref_table;
	List	   *ref_columns;	/* of char * */
	char	   *update_rule;	/* RESTRICT, CASCADE, SET NULL, NO ACTION */
	char	   *delete_rule;
} MsSourceForeignKey;

typedef struct MsSourceCheck
{
	char	   *name;			/* a column's check has the column's name */
	char	   *clause;			/* MariaDB's text */
} MsSourceCheck;

typedef struct MsSourceTable
{
	char	   *db;
	char	   *name;
	char	   *table_type;		/* TABLE_TYPE: BASE TABLE, SEQUENCE, ... */
	char	   *engine;
	int64		rows_estimate;
	List	   *columns;		/* of MsSourceColumn *, ordinal order */
	List	   *indexes;		/* of MsSourceIndex * */
	List	   *foreign_keys;	/* of MsSourceForeignKey * */
	List	   *checks;			/* of MsSourceCheck *, but for json_valid */
	char	   *collation;		/* the default of new columns */
	char	   *comment;
	bool		partitioned;
	bool		select_denied;	/* on a column at least */
	bool		foreign_keys_hidden;	/* there are more, whose rules may not
										 * be seen */
} MsSourceTable;

/* The period of a system-versioned table. */
static inline bool
ms_source_column_is_row_start(const MsSourceColumn *col)
{
	return col->generation && pg_strcasecmp(col->generation, "ROW START") == 0;
}

static inline bool
ms_source_column_is_row_end(const MsSourceColumn *col)
{
	return col->generation && pg_strcasecmp(col->generation, "ROW END") == 0;
}

extern MsSourceColumn *ms_source_find_column(const List *columns,
											 const char *name);
extern MsSourceIndex *ms_source_find_index(const MsSourceTable *table,
										   const char *name);
extern MsSourceForeignKey *ms_source_find_foreign_key(const MsSourceTable *table,
													  const char *name);
extern bool ms_source_refers_to(const MsSourceForeignKey *key, const char *db,
								const char *table);
extern bool ms_source_engine_is(const MsSourceTable *table, const char *name);
extern void ms_source_set_json(MsSourceColumn *col, char *check);
extern bool ms_source_is_versioned(const MsSourceTable *table);
extern void ms_source_place_period(MsSourceTable *table);
extern void ms_source_keep_history(List *tables);
extern const char *ms_source_rows_clause(const List *columns, bool history);
extern bool ms_source_has_read_views(const MsSourceTable *table);
extern bool ms_pattern_list_matches(List *patterns, const char *db,
									const char *table);
extern void ms_pattern_check(const char *pattern);
extern List *ms_remote_schema_fetch(MsWire *wire, List *patterns,
									const char *db, const char *table);
extern List *ms_remote_schema_fetch_columns(MsWire *wire, const char *db,
											const char *table);
extern MsSourceIndex *ms_source_table_key(const MsSourceTable *table);
extern bool ms_source_foreign_key_acts(const MsSourceForeignKey *key);

/* recorded_schema.c */
extern Jsonb *ms_source_table_to_jsonb(const MsSourceTable *table);
extern MsSourceTable *ms_source_table_from_jsonb(Jsonb *schema);
extern List *ms_source_columns_from_jsonb(Jsonb *schema);

#endif							/* MS_REMOTE_SCHEMA_H */
