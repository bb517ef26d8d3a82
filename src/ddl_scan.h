/*
 * ddl_scan.h - which statement is this, and which tables does it name?
 */
#ifndef MS_DDL_SCAN_H
#define MS_DDL_SCAN_H

#include "nodes/pg_list.h"

#include "ddl_token.h"

typedef enum MsStatementKind
{
	MS_STMT_OTHER,				/* concerns no table's rows or definition */
	MS_STMT_COMMIT,
	MS_STMT_ROLLBACK,
	MS_STMT_SAVEPOINT,			/* savepoint */
	MS_STMT_ROLLBACK_TO,		/* savepoint */
	MS_STMT_XA_END,
	MS_STMT_XA_COMMIT,
	MS_STMT_XA_ROLLBACK,
	MS_STMT_TRUNCATE,			/* tables: the one */
	MS_STMT_CREATE_TABLE,		/* tables: the one */
	MS_STMT_TABLE_DDL,			/* tables: all that change */
	MS_STMT_DROP_DATABASE,		/* db */
	MS_STMT_DML					/* INSERT, UPDATE, ...: statement format */
} MsStatementKind;

/* What ALTER TABLE has to do with the second table that it names. */
typedef enum MsExchange
{
	MS_EXCHANGE_NONE,			/* RENAME, if there is one */
	MS_EXCHANGE_ROWS,			/* with a partition */
	MS_EXCHANGE_TO_TABLE,		/* a partition becomes that table */
	MS_EXCHANGE_FROM_TABLE		/* it becomes a partition, and is gone */
} MsExchange;

typedef struct MsTableName
{
	char	   *db;
	char	   *table;
} MsTableName;

typedef struct MsStatement
{
	MsStatementKind kind;
	const char *verb;			/* "ALTER TABLE", for messages */
	List	   *tables;			/* of MsTableName * */
	char	   *db;				/* DROP DATABASE */
	const char *default_db;		/* of names without one */
	bool		if_not_exists;	/* CREATE TABLE */
	MsExchange	exchange;		/* ALTER: rows go from one table to another */
	char	   *savepoint;		/* its name */
} MsStatement;

extern void ms_ddl_scan(const char *sql, size_t len, const char *default_db,
						uint64 sql_mode, MsStatement *statement);

extern void ms_ddl_skip_set_statement(MsScanner *s);
extern char *ms_ddl_without_secrets(const char *sql, uint64 sql_mode);

#endif							/* MS_DDL_SCAN_H */
