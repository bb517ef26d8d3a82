/*
 * ddl_parse.h - what a statement changes of a table, clause by clause.
 */
#ifndef MS_DDL_PARSE_H
#define MS_DDL_PARSE_H

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

#include "ddl_scan.h"
#include "remote_schema.h"

typedef enum MsClauseKind
{
	MS_CLAUSE_ADD_COLUMN,
	MS_CLAUSE_CHANGE_COLUMN,	/* MODIFY too: name is the old name */
	MS_CLAUSE_DROP_COLUMN,
	MS_CLAUSE_RENAME_COLUMN,
	MS_CLAUSE_SET_DEFAULT,		/* column->default_text, NULL = dropped */
	MS_CLAUSE_ADD_INDEX,
	MS_CLAUSE_DROP_INDEX,		/* name "PRIMARY" for the primary key */
	MS_CLAUSE_RENAME_INDEX,
	MS_CLAUSE_ADD_FOREIGN_KEY,
	MS_CLAUSE_DROP_FOREIGN_KEY,
	MS_CLAUSE_ADD_CHECK,
	MS_CLAUSE_DROP_CONSTRAINT,
	MS_CLAUSE_RENAME_TABLE,		/* table */
	MS_CLAUSE_CONVERT_CHARSET,	/* columns too */
	MS_CLAUSE_TABLE_CHARSET,	/* of columns to come */
	MS_CLAUSE_COMMENT,			/* name */
	MS_CLAUSE_ENGINE,			/* name */
	MS_CLAUSE_PARTITION,		/* the table becomes partitioned, or not */
	MS_CLAUSE_VERSIONING,		/* the same with SYSTEM VERSIONING */
	MS_CLAUSE_CHANGES_ROWS,		/* name says how */
	MS_CLAUSE_UNKNOWN			/* name: the text that was not understood */
} MsClauseKind;

/* The collation that BINARY means: the _bin one, whatever the character set */
#define MS_COLLATION_BINARY		"_bin"

typedef struct MsClause
{
	MsClauseKind kind;
	char	   *name;
	char	   *new_name;
	bool		if_exists;		/* or IF NOT EXISTS: no error otherwise */
	bool		flag;			/* PARTITION, VERSIONING: becomes so */
	bool		first;			/* column: FIRST */
	char	   *after;			/* column: AFTER this one */
	char	   *charset;
	char	   *collation;
	MsSourceColumn *column;
	MsSourceIndex *index;
	List	   *prefixes;		/* of int, the lengths of the index's parts */
	MsSourceForeignKey *foreign_key;
	MsSourceCheck *check;
	MsTableName *table;
} MsClause;

typedef struct MsDdl
{
	bool		or_replace;
	bool		ignore;			/* ALTER IGNORE TABLE */
	bool		implicit_timestamps;	/* explicit_defaults_for_timestamp =
										 * 0; set by the caller */
	MsTableName *like;			/* CREATE TABLE ... LIKE, or NULL */
	bool		has_select;		/* CREATE TABLE ... AS SELECT */
	List	   *clauses;		/* of MsClause * */
} MsDdl;

extern void ms_parse_quote_name(StringInfo buf, const char *name);
extern void ms_ddl_parse(const char *sql, size_t len, const char *default_db,
						 uint64 sql_mode, MsDdl *ddl);

#endif							/* MS_DDL_PARSE_H */
