/*
 * gtid.c - MariaDB GTID positions.
 *
 * A position holds one GTID per replication domain, kept ordered by domain so
 * that equal positions have equal text.  Sequence numbers are compared only
 * to answer "has this position been reached", as MASTER_GTID_WAIT does; what
 * to apply is never decided here.
 */
#include "postgres.h"

#include <ctype.h>

#include "lib/stringinfo.h"

#include "gtid.h"

void
ms_gtid_init(MsGtidList *list)
{
	list->count = 0;
	list->capacity = 0;
	list->items = NULL;
	list->cxt = CurrentMemoryContext;
}

/* Index of the domain, or of where it belongs as -(index + 1). */
static int
gtid_search(const MsGtidList *list, uint32 domain)
{
	int			i;

	/* positions have a handful of domains */
	for (i = 0; i < list->count; i++)
	{
		if (list->items[i].domain == domain)
			return i;
		if (list->items[i].domain > domain)
			break;
	}
	return -(i + 1);
}

const MsGtid *
ms_gtid_find(const MsGtidList *list, uint32 domain)
{
	int			i = gtid_search(list, domain);

	return i >= 0 ? &list->items[i] : NULL;
}

/*
 * Make gtid the position of its domain.
 */
void
ms_gtid_update(MsGtidList *list, const MsGtid *gtid)
{
	int			i = gtid_search(list, gtid->domain);

	if (i < 0)
	{
		i = -(i + 1);
		if (list->count == list->capacity)
		{
			list->capacity = Max(4, list->capacity * 2);
			if (list->items == NULL)
				list->items = MemoryContextAlloc(list->cxt,
												 list->capacity * sizeof(MsGtid));
			else
				list->items = repalloc(list->items,
									   list->capacity * sizeof(MsGtid));
		}
		memmove(&list->items[i + 1], &list->items[i],
				(list->count - i) * sizeof(MsGtid));
		list->count++;
	}
	list->items[i] = *gtid;
}

void
ms_gtid_copy(MsGtidList *dst, const MsGtidList *src)
{
	dst->count = 0;
	for (int i = 0; i < src->count; i++)
		ms_gtid_update(dst, &src->items[i]);
}

/* Reads digits up to max; advances *p.  False when there are none. */
static bool
parse_number(const char **p, uint64 max, uint64 *value)
{
	uint64		v = 0;
	const char *s = *p;

	if (!isdigit((unsigned char) *s))
		return false;
	for (; isdigit((unsigned char) *s); s++)
	{
		uint64		digit = *s - '0';

		if (v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*p = s;
	*value = v;
	return true;
}

/*
 * Parse "D-S-N,D-S-N", blanks allowed around the commas.  An empty text is
 * the empty position.  Returns false when the text is not a position.
 */
bool
ms_gtid_parse_list(const char *text, MsGtidList *list)
{
	const char *p = text;

	list->count = 0;
	while (isspace((unsigned char) *p))
		p++;
	if (*p == '\0')
		return true;

	for (;;)
	{
		uint64		domain,
					server,
					seq;
		MsGtid		gtid;

		while (isspace((unsigned char) *p))
			p++;
		if (!parse_number(&p, PG_UINT32_MAX, &domain) || *p++ != '-' ||
			!parse_number(&p, PG_UINT32_MAX, &server) || *p++ != '-' ||
			!parse_number(&p, PG_UINT64_MAX, &seq))
			return false;
		gtid.domain = (uint32) domain;
		gtid.server_id = (uint32) server;
		gtid.seq = seq;
		ms_gtid_update(list, &gtid);

		while (isspace((unsigned char) *p))
			p++;
		if (*p == '\0')
			return true;
		if (*p++ != ',')
			return false;
	}
}

/*
 * The same for text a user gave.
 */
void
ms_gtid_parse_list_or_error(const char *text, MsGtidList *list)
{
	if (!ms_gtid_parse_list(text, list))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid GTID position: \"%s\"", text),
				 errhint("A position is a list of domain-server-sequence, for example \"0-1-42\" or \"0-1-42,7-3-9\".")));
}

/* buf has room for MS_GTID_TEXT_LEN bytes. */
void
ms_gtid_format(const MsGtid *gtid, char *buf)
{
	snprintf(buf, MS_GTID_TEXT_LEN, "%u-%u-" UINT64_FORMAT,
			 gtid->domain, gtid->server_id, gtid->seq);
}

char *
ms_gtid_format_list(const MsGtidList *list)
{
	StringInfoData buf;
	char		one[MS_GTID_TEXT_LEN];

	initStringInfo(&buf);
	for (int i = 0; i < list->count; i++)
	{
		ms_gtid_format(&list->items[i], one);
		if (i > 0)
			appendStringInfoChar(&buf, ',');
		appendStringInfoString(&buf, one);
	}
	return buf.data;
}

/*
 * Is position at or past target in every domain of target?  As
 * MASTER_GTID_WAIT: by sequence number within the domain.
 */
bool
ms_gtid_reached(const MsGtidList *position, const MsGtidList *target)
{
	for (int i = 0; i < target->count; i++)
	{
		const MsGtid *have = ms_gtid_find(position, target->items[i].domain);

		/* sequence 0 is "nothing yet" */
		if (target->items[i].seq == 0)
			continue;
		if (have == NULL || have->seq < target->items[i].seq)
			return false;
	}
	return true;
}

/*
 * How many sequence numbers lie between two positions, over all domains: a
 * measure for people, not for decisions.
 */
uint64
ms_gtid_distance(const MsGtidList *behind, const MsGtidList *ahead)
{
	uint64		distance = 0;

	for (int i = 0; i < ahead->count; i++)
	{
		const MsGtid *have = ms_gtid_find(behind, ahead->items[i].domain);
		uint64		seq = have ? have->seq : 0;

		if (ahead->items[i].seq > seq)
			distance += ahead->items[i].seq - seq;
	}
	return distance;
}
