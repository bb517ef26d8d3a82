/*
 * ddl_diff.h - the difference of two schemas in PostgreSQL's words.
 */
#ifndef MS_DDL_DIFF_H
#define MS_DDL_DIFF_H

#include "options.h"
#include "remote_schema.h"

typedef struct MsModelDiff
{
	List	   *statements;		/* of char *, in order */
	char	   *copy_reason;	/* why the rows have to be copied, or NULL */
	List	   *notes;			/* of char *: what PostgreSQL does not have */
	List	   *dropped_indexes;	/* of Oid: what the statements drop of them */
	bool		adds_keys;		/* that foreign keys may need */
} MsModelDiff;

extern void ms_model_diff(const MsSourceTable *old, const MsSourceTable *new,
						  Oid relid, bool will_be_empty,
						  const MsSubscriptionOptions *options,
						  MsModelDiff *diff);

extern List *ms_model_missing_indexes(const MsSourceTable *table, Oid relid);

#endif							/* MS_DDL_DIFF_H */
