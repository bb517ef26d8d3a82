/*
 * value_build.h - what the files with builders share.  Internal to them.
 */
#ifndef MS_VALUE_BUILD_H
#define MS_VALUE_BUILD_H

#include "value.h"

extern void ms_value_check_size(const MsColumn *col, uint64 size);
extern Datum ms_value_make_varlena(const MsColumn *col, const char *data,
								   uint32 len);

/* value_build_numeric.c */
extern Datum ms_value_build_int_numeric(MsColumn *col, const MsValue *v,
										bool *isnull);
extern Datum ms_value_build_uint_numeric(MsColumn *col, const MsValue *v,
										 bool *isnull);
extern Datum ms_value_build_decimal_numeric(MsColumn *col, const MsValue *v,
											bool *isnull);

/* value_build_spatial.c */
extern Datum ms_value_build_ewkb(MsColumn *col, const MsValue *v,
								 bool *isnull);
extern Datum ms_value_build_real_array(MsColumn *col, const MsValue *v,
									   bool *isnull);

#endif							/* MS_VALUE_BUILD_H */
