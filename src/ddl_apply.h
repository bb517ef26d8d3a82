/*
 * ddl_apply.h - structure changes that the stream brings.
 */
#ifndef MS_DDL_APPLY_H
#define MS_DDL_APPLY_H

#include "apply.h"
#include "ddl_scan.h"

extern void ms_ddl_apply(MsApply *apply, const MsStatement *statement,
						 const MsQueryEvent *query, const char *sql);
extern bool ms_ddl_release_held(MsApply *apply);
extern void ms_ddl_reshape(MsApply *apply);

#endif							/* MS_DDL_APPLY_H */
