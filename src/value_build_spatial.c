/*
 * value_build_spatial.c - builders of geometries and vectors.
 *
 * Part of value_build.c's room: the values that become bytea or an array, or
 * the types of PostGIS and pgvector where these are installed.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "lib/stringinfo.h"
#include "utils/array.h"

#include "value_build.h"

#define EWKB_SRID_FLAG	0x20000000

/* what PostGIS keeps as it is; a larger one it changes */
#define MAX_POSTGIS_SRID	999999

/*
 * SRID and WKB to EWKB, where the SRID stands behind the type and a flag in
 * the type says that it is there.
 */
Datum
ms_value_build_ewkb(MsColumn *col, const MsValue *v, bool *isnull)
{
	const uint8 *data = (const uint8 *) v->s.data;
	uint32		wkb_len = v->s.len - 4;
	int			top;
	uint8	   *out;
	bytea	   *result;

	if (v->s.len == 0)
		return ms_value_make_varlena(col, "", 0);
	/* byte order and type are the least that a WKB has */
	if (v->s.len < 4 + 5 || data[4] > 1)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("value of column \"%s\" is not a geometry", col->name)));
	if ((data[0] | data[1] | data[2] | data[3]) == 0)
		return ms_value_make_varlena(col, v->s.data + 4, wkb_len);

	ms_value_check_size(col, (uint64) wkb_len + 4);
	result = (bytea *) palloc(VARHDRSZ + wkb_len + 4);
	SET_VARSIZE(result, VARHDRSZ + wkb_len + 4);
	out = (uint8 *) VARDATA(result);
	memcpy(out, data + 4, 5);
	/* the first byte tells the byte order, little-endian being 1 */
	top = out[0] == 1 ? 4 : 1;
	out[top] |= EWKB_SRID_FLAG >> 24;
	for (int i = 0; i < 4; i++)
		out[5 + i] = data[out[0] == 1 ? i : 3 - i];
	memcpy(out + 9, data + 9, wkb_len - 5);
	return PointerGetDatum(result);
}

/*
 * To PostGIS' geometry, whose receive function, col->in_func, takes EWKB.
 */
Datum
ms_value_build_geometry(MsColumn *col, const MsValue *v, bool *isnull)
{
	const uint8 *srid = (const uint8 *) v->s.data;
	StringInfoData buf;
	Datum		ewkb;

	if (v->s.len >= 4 &&
		(srid[0] | srid[1] << 8 | srid[2] << 16 | (uint32) srid[3] << 24) > MAX_POSTGIS_SRID)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("SRID of a geometry in column \"%s\" is out of range for PostGIS",
						col->name),
				 errhint("Make the target column bytea.")));
	ewkb = ms_value_build_ewkb(col, v, isnull);
	buf.data = VARDATA(DatumGetPointer(ewkb));
	buf.len = buf.maxlen = VARSIZE(DatumGetPointer(ewkb)) - VARHDRSZ;
	buf.cursor = 0;
	return ReceiveFunctionCall(&col->in_func, &buf, col->in_typioparam,
							   col->typmod);
}

/*
 * To pgvector's vector, whose receive function, col->in_func, takes the
 * number of dimensions, two bytes that are zero, and the numbers big-endian.
 */
Datum
ms_value_build_vector(MsColumn *col, const MsValue *v, bool *isnull)
{
	const uint8 *data = (const uint8 *) v->s.data;
	uint32		dimensions = v->s.len / sizeof(float4);
	uint8	   *out = palloc(4 + v->s.len);
	StringInfoData buf;

	buf.data = (char *) out;
	buf.len = buf.maxlen = 4 + dimensions * sizeof(float4);
	buf.cursor = 0;
	*out++ = dimensions >> 8;
	*out++ = dimensions;
	*out++ = 0;
	*out++ = 0;
	for (uint32 i = 0; i < dimensions; i++, data += sizeof(float4))
		for (int byte = 3; byte >= 0; byte--)
			*out++ = data[byte];
	return ReceiveFunctionCall(&col->in_func, &buf, col->in_typioparam,
							   col->typmod);
}

/* To real[]. */
Datum
ms_value_build_real_array(MsColumn *col, const MsValue *v, bool *isnull)
{
	const uint8 *data = (const uint8 *) v->s.data;
	int			n = v->s.len / sizeof(float4);
	Size		size = ARR_OVERHEAD_NONULLS(1) + n * sizeof(float4);
	ArrayType  *result;
	uint32	   *out;

	if (v->s.len % sizeof(float4) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("value of column \"%s\" is not a vector", col->name)));
	if (n == 0)
		return PointerGetDatum(construct_empty_array(FLOAT4OID));
	ms_value_check_size(col, size);
	result = (ArrayType *) palloc(size);
	SET_VARSIZE(result, size);
	result->ndim = 1;
	result->dataoffset = 0;
	result->elemtype = FLOAT4OID;
	ARR_DIMS(result)[0] = n;
	ARR_LBOUND(result)[0] = 1;
	out = (uint32 *) ARR_DATA_PTR(result);
	for (int i = 0; i < n; i++, data += 4)
		out[i] = data[0] | data[1] << 8 | data[2] << 16 | (uint32) data[3] << 24;
	return PointerGetDatum(result);
}
