/*
 * value.h - MariaDB column values to PostgreSQL datums.
 *
 * A value travels in two steps.  A *reader* takes the bytes of one of the two
 * dialects MariaDB speaks (the row image of the binlog, the row of the binary
 * client protocol) and fills an MsValue, the canonical form.  A *builder*
 * makes the datum of the target's type from the canonical form and applies
 * the value policies.  Both dialects share every builder: that is what makes
 * a value arrive the same by the copy and by the stream.
 *
 * Everything here is a pure function over bytes: no catalogs, no sockets.
 * value_image.c and value_protocol.c have the readers, value.c the loops over
 * a row, value_build.c the builders, value_format.c a text form, and charset.c
 * transcodes TEXT.
 */
#ifndef MS_VALUE_H
#define MS_VALUE_H

#include "fmgr.h"
#include "pgtime.h"

/* What a source column holds. */
typedef enum MsKind
{
	MS_KIND_INT,				/* TINYINT .. BIGINT; canonical i */
	MS_KIND_UINT,				/* the same, UNSIGNED; canonical u */
	MS_KIND_FLOAT,				/* canonical d, exact widening of the float */
	MS_KIND_DOUBLE,				/* canonical d */
	MS_KIND_DECIMAL,			/* canonical s: as many digits as the column
								 * has at most before the point and always
								 * behind it, NUL-terminated */
	MS_KIND_YEAR,				/* canonical i, four digits or 0 */
	MS_KIND_DATE,				/* canonical t */
	MS_KIND_DATETIME,			/* canonical t */
	MS_KIND_TIMESTAMP,			/* canonical i: microseconds since 1970-01-01
								 * UTC, MS_TIMESTAMP_ZERO for '0000-00-00' */
	MS_KIND_TIME,				/* canonical t, hour up to 838, neg */
	MS_KIND_TEXT,				/* CHAR, VARCHAR, TEXT; s in source charset */
	MS_KIND_BYTES,				/* BINARY, VARBINARY, BLOB; s */
	MS_KIND_ENUM,				/* canonical u: 1-based label, 0 = '' */
	MS_KIND_SET,				/* canonical u: bit mask */
	MS_KIND_BIT,				/* canonical s: (n + 7) / 8 bytes, big-endian */
	MS_KIND_JSON,				/* canonical s */
	MS_KIND_UUID,				/* canonical s: 16 bytes */
	MS_KIND_INET4,				/* canonical s: 4 bytes */
	MS_KIND_INET6,				/* canonical s: 16 bytes */
	MS_KIND_GEOMETRY,			/* canonical s: SRID (4, LE) and WKB; may be
								 * empty */
	MS_KIND_VECTOR				/* canonical s: float4 little-endian array */
} MsKind;

#define MS_TIMESTAMP_ZERO PG_INT64_MIN

typedef struct MsTimeFields
{
	int32		year;
	int32		month;
	int32		day;
	int32		hour;
	int32		minute;
	int32		second;
	int32		usec;
	bool		neg;
} MsTimeFields;

typedef struct MsValue
{
	union
	{
		int64		i;
		uint64		u;
		double		d;
		MsTimeFields t;
		struct
		{
			const char *data;
			uint32		len;
		}			s;
	};
	/* room for a decimal in text, or for a BINARY(255) padded back */
	char		scratch[256];
} MsValue;

typedef enum MsZeroDate
{
	MS_ZERO_DATE_NULL,
	MS_ZERO_DATE_EPOCH,
	MS_ZERO_DATE_MINUS_INFINITY,
	MS_ZERO_DATE_ERROR
} MsZeroDate;

typedef enum MsNulByte
{
	MS_NUL_BYTE_ERROR,
	MS_NUL_BYTE_STRIP,
	MS_NUL_BYTE_REPLACE			/* with U+FFFD, or '?' outside UTF8 */
} MsNulByte;

typedef enum MsUntranslatable
{
	MS_UNTRANSLATABLE_ERROR,
	MS_UNTRANSLATABLE_REPLACE	/* with U+FFFD, or '?' outside UTF8 */
} MsUntranslatable;

typedef struct MsValuePolicies
{
	MsZeroDate	zero_date;
	MsNulByte	nul_byte;
	MsUntranslatable untranslatable;
} MsValuePolicies;

/* Why a value was altered; bits of MsColumn.changes_seen. */
typedef enum MsChangeKind
{
	MS_CHANGE_ZERO_DATE = 0x01,
	MS_CHANGE_NUL_BYTE = 0x02,
	MS_CHANGE_UNTRANSLATABLE = 0x04,
	MS_CHANGE_BOOLEAN = 0x08,	/* a TINYINT(1) that is neither 0 nor 1 */
	MS_CHANGE_LOCAL_TIME = 0x10,	/* a DATETIME that the zone's clocks skip */
	MS_CHANGE_EMPTY_JSON = 0x20
} MsChangeKind;

struct MsColumn;

/*
 * Reads one value at p.  Returns the byte after it, or NULL when the value
 * would end beyond end or is malformed.  v->s may point into the packet.
 */
typedef const uint8 *(*MsReadFn) (const struct MsColumn *col, const uint8 *p,
								  const uint8 *end, MsValue *v);

/*
 * Makes the datum in CurrentMemoryContext.  Sets *isnull when a policy turns
 * the value into NULL.  Raises an error for what the target cannot hold.
 */
typedef Datum (*MsBuildFn) (struct MsColumn *col, const MsValue *v,
							bool *isnull);

/*
 * Turns source-charset bytes into the server's encoding.  Returns bytes that
 * may be the input itself; *outlen is their length.  Raises an error
 * (ERRCODE_CHARACTER_NOT_IN_REPERTOIRE or ERRCODE_UNTRANSLATABLE_CHARACTER)
 * for what cannot be held, or, when replaced is not NULL, puts a replacement
 * character in its place and sets *replaced.  Set by charset.c.
 */
typedef const char *(*MsTranscodeFn) (const void *arg, const char *data,
									  uint32 len, uint32 *outlen,
									  bool *replaced);

typedef struct MsColumn
{
	/* source side: set by ms_typemap_init_column */
	char	   *name;			/* in the server's encoding */
	char	   *source_type;	/* COLUMN_TYPE, for messages */
	MsKind		kind;
	uint8		int_width;		/* 1, 2, 3, 4, 8 for INT and UINT */
	uint8		precision;		/* DECIMAL */
	uint8		scale;			/* DECIMAL */
	uint8		fsp;			/* fractional digits of temporal kinds */
	uint32		length;			/* characters of CHAR/VARCHAR, bytes of
								 * BINARY(n) (0 = no padding), bits of BIT,
								 * dimensions of VECTOR, digits of YEAR */
	bool		is_char;		/* CHAR(n): trailing blanks are not stored */
	int			nlabels;		/* ENUM, SET */
	char	  **labels;			/* server encoding */
	const char *charset;		/* "binary" where values are not text */
	MsTranscodeFn transcode;	/* TEXT */
	const void *transcode_arg;

	/* readers: set by ms_value_bind_image and ms_value_bind_protocol */
	MsReadFn	read_image;
	MsReadFn	read_protocol;
	uint8		wire_type;		/* type byte of the table map */
	uint16		wire_meta;		/* its metadata: the byte of one-byte
								 * metadata, first byte | second << 8 of
								 * two-byte metadata */
	uint8		wire_size;		/* bytes of a fixed-size image or of a length
								 * prefix */
	uint8		wire_fraction;	/* bytes of a temporal image's fraction */
	uint32		wire_max;		/* most bytes of a variable-size image */

	/* target side: set by ms_typemap_bind_target */
	int			attidx;			/* index into the slot, -1 = not mapped */
	Oid			typid;
	int32		typmod;
	MsBuildFn	build;			/* NULL when attidx is -1 */
	Datum	   *label_datums;	/* ENUM and SET: [0] is '', [n] label n; 0
								 * where a target's enum type lacks it */
	FmgrInfo	in_func;		/* targets built through their input function */
	Oid			in_typioparam;
	const pg_tz *zone;			/* DATETIME to timestamptz */
	MsBuildFn	base_build;		/* of a domain's base type */
	Oid			domain;			/* checked after base_build */
	Oid			domain_role;	/* whose functions it has, if no superuser's */
	void	   *domain_cache;
	MemoryContext domain_cxt;
	/* set when the domain may refuse a NULL */
	void		(*check_null) (struct MsColumn *col);
	MsValuePolicies policies;
	int			changes_seen;	/* MsChangeKind bits, of all values so far */
} MsColumn;

/*
 * A row's columns in source order, shared by both dialects.
 */
typedef struct MsRowFormat
{
	int			ncolumns;
	MsColumn   *columns;
	/* column being read, for error context; -1 outside a row */
	int			current;
} MsRowFormat;

extern void ms_value_guess_image(MsColumn *col, uint8 type, uint16 meta);
extern bool ms_value_is_char_image(uint8 type);
extern const char *ms_value_bind_image(MsColumn *col, uint8 type, uint16 meta);
extern void ms_value_bind_protocol(MsColumn *col);
extern const uint8 *ms_value_read_image_row(MsRowFormat *format,
											const uint8 *p, const uint8 *end,
											const uint8 *present, int ncolumns,
											Datum *values, bool *isnull);
extern void ms_value_read_protocol_row(MsRowFormat *format,
									   const uint8 *p, const uint8 *end,
									   Datum *values, bool *isnull);

extern const uint8 *ms_value_pick_image_row(MsRowFormat *format,
											const uint8 *p, const uint8 *end,
											const uint8 *present,
											const int *columns, int ncolumns,
											MsValue *values, bool *found);
extern void ms_value_pick_protocol_row(MsRowFormat *format, const uint8 *p,
									   const uint8 *end, MsValue *values);

/* most bytes that ms_value_format() writes */
#define MS_MAX_FORMATTED	256

extern bool ms_value_has_format(MsKind kind);
extern int	ms_value_format(const MsColumn *col, const MsValue *v, char *buf);

/*
 * What the policies have altered, for whoever counts and reports it and then
 * resets it.
 */
typedef struct MsValueChanges
{
	uint64		count;			/* values */
	bool		first;			/* a column has its first of a kind */
	bool		ignore;			/* values at hand will not be stored: they
								 * find a row, or are shown */
} MsValueChanges;

extern MsValueChanges ms_value_changes;

extern const char *ms_value_change_name(MsChangeKind kind);

/* builders, chosen by typemap.c */
extern MsBuildFn ms_value_builder(MsKind kind, Oid typid);
extern Datum ms_value_build_label(MsColumn *col, const MsValue *v,
								  bool *isnull);
extern Datum ms_value_build_input(MsColumn *col, const MsValue *v,
								  bool *isnull);
extern Datum ms_value_build_zoned(MsColumn *col, const MsValue *v,
								  bool *isnull);
extern Datum ms_value_build_geometry(MsColumn *col, const MsValue *v,
									 bool *isnull);
extern Datum ms_value_build_vector(MsColumn *col, const MsValue *v,
								   bool *isnull);

#endif							/* MS_VALUE_H */
