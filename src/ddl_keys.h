/*
 * ddl_keys.h - how much of its columns MariaDB's index has.
 */
#ifndef MS_DDL_KEYS_H
#define MS_DDL_KEYS_H

#include "remote_schema.h"

extern void ms_ddl_forget_hashes(MsSourceTable *table);
extern void ms_ddl_fit_keys(MsSourceTable *table);

#endif							/* MS_DDL_KEYS_H */
