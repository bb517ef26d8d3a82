/*
 * target_sql.h - writing rows through SQL statements.
 */
#ifndef MS_TARGET_SQL_H
#define MS_TARGET_SQL_H

#include "nodes/bitmapset.h"
#include "utils/rel.h"

typedef struct MsTargetSql MsTargetSql;

extern MsTargetSql *ms_target_sql_build(Relation rel, const Bitmapset *mapped,
										int nkeys, const int *key_atts);
extern void ms_target_sql_insert(MsTargetSql *sql, const Datum *values,
								 const bool *isnull);
extern bool ms_target_sql_exists(MsTargetSql *sql, const Datum *values,
								 const bool *isnull);
extern bool ms_target_sql_update(MsTargetSql *sql, const Datum *old_values,
								 const bool *old_isnull, const Datum *values,
								 const bool *isnull, const bool *present);
extern bool ms_target_sql_delete(MsTargetSql *sql, const Datum *values,
								 const bool *isnull);
extern void ms_target_sql_delete_all(Oid relid);
extern void ms_target_sql_truncate(Oid relid);

#endif							/* MS_TARGET_SQL_H */
