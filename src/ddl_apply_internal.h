/*
 * ddl_apply_internal.h - what the files that apply structure changes share.
 */
#ifndef MS_DDL_APPLY_INTERNAL_H
#define MS_DDL_APPLY_INTERNAL_H

#include "apply_internal.h"
#include "ddl_apply.h"
#include "ddl_model.h"

/* One statement, while it is applied. */
typedef struct MsDdlApply
{
	MsApply    *apply;
	const MsStatement *statement;
	const char *sql;			/* in the server's encoding */
	uint64		sql_mode;
	bool		implicit_timestamps;	/* see MsDdl */
	uint16		error_code;		/* with which it ended on the source */
	char	   *shown;			/* for history and log: without secrets */
} MsDdlApply;

/* Something that may fail without an end to the subscription. */
typedef void (*MsDdlStep) (MsDdlApply *ddl, void *arg);

extern bool ms_ddl_try(MsDdlApply *ddl, MsDdlStep step, void *arg,
					   char **error);
extern void ms_ddl_record(MsDdlApply *ddl, const char *source_table,
						  List *translation, const char *result);
extern void ms_ddl_disable(MsDdlApply *ddl, TablePlan *plan,
						   const char *error);
extern void ms_ddl_refresh(MsDdlApply *ddl, TablePlan *plan,
						   const char *why);
extern bool ms_ddl_is_contained(const MsApply *apply, const TablePlan *plan);
extern void ms_ddl_parse_statement(MsDdlApply *ddl, MsDdl *parsed);
extern char *ms_ddl_join_notes(const char *result, const List *notes);
extern MsSourceTable *ms_ddl_recorded(const TablePlan *plan);

/* ddl_tables.c */
extern void ms_ddl_create_table(MsDdlApply *ddl);
extern void ms_ddl_join_later(MsDdlApply *ddl, const MsTableName *name);
extern void ms_ddl_drop_table(MsDdlApply *ddl, TablePlan *plan);
extern void ms_ddl_rename_tables(MsDdlApply *ddl, List *pairs);

/* ddl_references.c */
extern void ms_ddl_foreign_keys(MsDdlApply *ddl, TablePlan *plan,
								const MsSourceTable *old,
								const MsSourceTable *new,
								List **statements, List **notes);
extern void ms_ddl_drop_references(MsDdlApply *ddl, Oid relid, Oid index,
								   List **statements);
extern void ms_ddl_drop_own_references(TablePlan *plan, List **statements);
extern void ms_ddl_make_references(MsDdlApply *ddl, const TablePlan *plan,
								   List **statements, List **notes);
extern void ms_ddl_rename_references(MsDdlApply *ddl, const List *pairs);
extern void ms_ddl_rename_own_keys(MsDdlApply *ddl, TablePlan *plan,
								   const char *old_name, List **statements);
extern void ms_ddl_refresh_referring(MsDdlApply *ddl, const MsTableName *parent);
extern void ms_ddl_name_references(MsDdlApply *ddl, MsSourceTable *table);
extern void ms_ddl_follow_references(MsDdlApply *ddl, const TablePlan *parent,
									 const MsSourceTable *new);

#endif							/* MS_DDL_APPLY_INTERNAL_H */
