/*
 * xid.h - the names of XA transactions.
 */
#ifndef MS_XID_H
#define MS_XID_H

#define MS_XID_PART_MAX		64
/* X'gtrid',X'bqual',format with its NUL */
#define MS_XID_TEXT_LEN		(2 * (2 * MS_XID_PART_MAX + 4) + 12)

typedef struct MsXid
{
	uint32		format_id;
	uint8		gtrid_len;
	uint8		bqual_len;
	uint8		data[2 * MS_XID_PART_MAX];	/* gtrid, bqual */
} MsXid;

extern void ms_xid_format(const MsXid *xid, char *text);
extern bool ms_xid_parse_recover(const char *format_id, const char *gtrid_len,
								 const char *bqual_len, const char *data,
								 MsXid *xid);

#endif							/* MS_XID_H */
