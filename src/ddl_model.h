/*
 * ddl_model.h - a recorded schema, changed by a statement.
 */
#ifndef MS_DDL_MODEL_H
#define MS_DDL_MODEL_H

#include "ddl_parse.h"

/* What a statement does beyond the new schema. */
typedef struct MsModelChange
{
	char	   *unknown;		/* what was not understood, or NULL */
	char	   *rows_changed;	/* why rows are not what they were, or NULL */
	MsTableName *new_name;		/* RENAME, or NULL */
	bool		converts;		/* CONVERT TO, which new columns are part of */
	int			last_foreign_key;	/* number in a name that MariaDB gave */
	bool		may_lose_keys;	/* renamed and altered: are its foreign keys
								 * still there, and those that refer to it? */
} MsModelChange;

extern MsSourceTable *ms_model_follow(Jsonb *schema, MsSourceTable *old);
extern void ms_model_apply(MsSourceTable *table, const MsDdl *ddl,
						   MsModelChange *change);
extern void ms_model_name_references(MsSourceTable *table,
									 const MsSourceTable *parent);

#endif							/* MS_DDL_MODEL_H */
