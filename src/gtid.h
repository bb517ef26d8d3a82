/*
 * gtid.h - MariaDB GTID positions: one (domain, server, sequence) per domain.
 */
#ifndef MS_GTID_H
#define MS_GTID_H

typedef struct MsGtid
{
	uint32		domain;
	uint32		server_id;
	uint64		seq;
} MsGtid;

/*
 * A position: the last GTID of every domain, ordered by domain.  The array
 * grows in the context the list was made in.
 */
typedef struct MsGtidList
{
	int			count;
	int			capacity;
	MsGtid	   *items;
	MemoryContext cxt;
} MsGtidList;

/* room for "4294967295-4294967295-18446744073709551615" and a NUL */
#define MS_GTID_TEXT_LEN 44

extern void ms_gtid_init(MsGtidList *list);
extern bool ms_gtid_parse_list(const char *text, MsGtidList *list);
extern void ms_gtid_parse_list_or_error(const char *text, MsGtidList *list);
extern char *ms_gtid_format_list(const MsGtidList *list);
extern void ms_gtid_format(const MsGtid *gtid, char *buf);
extern void ms_gtid_update(MsGtidList *list, const MsGtid *gtid);
extern void ms_gtid_copy(MsGtidList *dst, const MsGtidList *src);
extern const MsGtid *ms_gtid_find(const MsGtidList *list, uint32 domain);
extern bool ms_gtid_reached(const MsGtidList *position, const MsGtidList *target);
extern uint64 ms_gtid_distance(const MsGtidList *behind, const MsGtidList *ahead);

#endif							/* MS_GTID_H */
