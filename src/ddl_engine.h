/*
 * ddl_engine.h - the storage engines of the source.
 */
#ifndef MS_DDL_ENGINE_H
#define MS_DDL_ENGINE_H

#include "wire.h"

extern void ms_engine_load(MsWire *wire);
extern const char *ms_engine_name(const char *name);
extern const char *ms_engine_default(void);

#endif							/* MS_DDL_ENGINE_H */
