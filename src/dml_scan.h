/*
 * dml_scan.h - which table does a statement write, if that is certain?
 */
#ifndef MS_DML_SCAN_H
#define MS_DML_SCAN_H

#include "ddl_scan.h"

extern const char *ms_dml_scan(const char *sql, size_t len,
							   const char *default_db, uint64 sql_mode,
							   MsTableName *table);

#endif							/* MS_DML_SCAN_H */
