/*
 * xid.c - the names of XA transactions.
 *
 * One text form, the one that XA COMMIT takes and binlogs: the two parts in
 * hexadecimal and the format's number.  It is the key under which a prepared
 * transaction is kept, and what a message shows.
 */
#include "postgres.h"

#include <ctype.h>

#include "xid.h"

static char *
append_hex(char *text, const uint8 *data, int len)
{
	*text++ = 'X';
	*text++ = '\'';
	for (int i = 0; i < len; i++)
		text += sprintf(text, "%02x", data[i]);
	*text++ = '\'';
	*text++ = ',';
	return text;
}

/* text has room for MS_XID_TEXT_LEN bytes. */
void
ms_xid_format(const MsXid *xid, char *text)
{
	text = append_hex(text, xid->data, xid->gtrid_len);
	text = append_hex(text, xid->data + xid->gtrid_len, xid->bqual_len);
	sprintf(text, "%u", xid->format_id);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = tolower((unsigned char) c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One part: 'text', or X'hex' when there is more in it than letters. */
static const char *
take_part(const char *p, int len, uint8 *out)
{
	bool		hex = *p == 'X';

	if (hex)
		p++;
	if (*p++ != '\'')
		return NULL;
	for (int i = 0; i < len; i++)
	{
		if (hex)
		{
			int			high = hex_digit(p[0]);
			int			low = high < 0 ? -1 : hex_digit(p[1]);

			if (low < 0)
				return NULL;
			out[i] = high << 4 | low;
			p += 2;
		}
		else
		{
			if (*p == '\0')
				return NULL;
			out[i] = *p++;
		}
	}
	return *p == '\'' ? p + 1 : NULL;
}

/*
 * A row of XA RECOVER FORMAT = 'SQL'; false when it is not one.
 */
bool
ms_xid_parse_recover(const char *format_id, const char *gtrid_len,
					 const char *bqual_len, const char *data, MsXid *xid)
{
	int			gtrid = atoi(gtrid_len);
	int			bqual = atoi(bqual_len);

	if (gtrid < 0 || gtrid > MS_XID_PART_MAX || bqual < 0 ||
		bqual > MS_XID_PART_MAX)
		return false;
	xid->format_id = (uint32) strtoul(format_id, NULL, 10);
	xid->gtrid_len = gtrid;
	xid->bqual_len = bqual;
	data = take_part(data, gtrid, xid->data);
	if (data == NULL)
		return false;
	/* an empty second part may be left out */
	if (bqual == 0)
		return true;
	return *data == ',' && take_part(data + 1, bqual, xid->data + gtrid) != NULL;
}
