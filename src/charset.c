/*
 * charset.c - MariaDB's character sets to the server's encoding.
 *
 * Owns what each character set's bytes mean.  Text goes to UTF-8 and, where
 * the server's encoding is another, from there into that; pure ASCII in a set
 * that contains ASCII is handed back as it came.  The characters are those
 * that MariaDB itself would show: 8-bit sets have MariaDB's own tables, the
 * large East Asian ones PostgreSQL's conversions with the few differences
 * between the two patched over.
 *
 * A NUL character passes through in all of them: what becomes of it is a
 * policy, which the builders apply.  Bytes that are no character, and
 * characters that the server's encoding lacks, are an error or, when the
 * caller asks for it, become a replacement character: U+FFFD, or a question
 * mark where that cannot be either.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "charset_8bit.h"
#include "typemap.h"

/* no encoding grows more than this on the way to UTF-8 */
#define MAX_GROWTH	4

#define REPLACEMENT_CHARACTER	0xFFFD

/* bytes of UTF-8 that are converted to the server's encoding at a time */
#define MAX_PART	65536

/* A multi-byte character that MariaDB and PostgreSQL read differently. */
typedef struct Exception
{
	uint32		code;			/* its bytes as a big-endian number */
	uint32		unicode;
} Exception;

typedef struct Charset
{
	const char *name;
	MsTranscodeFn transcode;
	const uint16 *high;			/* 8-bit sets */
	int			encoding;		/* sets that PostgreSQL converts */
	const Exception *exceptions;	/* of these, ends with code 0 */
	bool		has_private;	/* MariaDB gives U+E000.. to its user-defined
								 * rows */
	/* the conversion of encoding to UTF-8, once bound */
	FmgrInfo   *conversion;
} Charset;

/* PostgreSQL's function from UTF-8 to the server's encoding, once bound */
static Oid	to_server = InvalidOid;

static const Exception sjis_exceptions[] = {
	{0x815F, 0x005C},
	{0x8160, 0x301C},
	{0x8161, 0x2016},
	{0x817C, 0x2212},
	{0x8191, 0x00A2},
	{0x8192, 0x00A3},
	{0x81CA, 0x00AC},
	{0, 0}
};

static const Exception ujis_exceptions[] = {
	{0xA1C0, 0x005C},
	{0xA1C1, 0x301C},
	{0xA1C2, 0x2016},
	{0xA1DD, 0x2212},
	{0xA1F1, 0x00A2},
	{0xA1F2, 0x00A3},
	{0xA2CC, 0x00AC},
	{0x8FA2B7, 0x007E},
	{0x8FA2C3, 0x00A6},
	{0, 0}
};

static const Exception eucjpms_exceptions[] = {
	{0x8FA2B7, 0xFF5E},
	{0, 0}
};

static void
invalid_bytes(const Charset *cs, const char *data, uint32 len)
{
	char		hex[3 * 8 + 1];
	char	   *out = hex;

	for (uint32 i = 0; i < Min(len, 8); i++)
		out += sprintf(out, " %02x", (uint8) data[i]);
	*out = '\0';
	ereport(ERROR,
			(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
			 errmsg("invalid text in character set \"%s\"", cs->name),
			 errdetail("The bytes%s do not start with one of its characters.",
					   hex),
			 errhint("Correct the value in MariaDB, set the option untranslatable to replace, or make the target column bytea.")));
}

/*
 * What stands at data is not a character: an error, or the caller writes a
 * replacement.
 */
static void
not_a_character(const Charset *cs, const char *data, uint32 len,
				bool *replaced)
{
	if (replaced == NULL)
		invalid_bytes(cs, data, len);
	*replaced = true;
}

/*
 * Is this all ASCII?  NUL is.
 */
static inline bool
is_ascii(const char *data, uint32 len)
{
	uint64		chunk;
	uint64		all = 0;
	uint32		i = 0;

	for (; i + sizeof(chunk) <= len; i += sizeof(chunk))
	{
		memcpy(&chunk, data + i, sizeof(chunk));
		if (chunk & UINT64CONST(0x8080808080808080))
			return false;
	}
	for (; i < len; i++)
		all |= (uint8) data[i];
	return (all & 0x80) == 0;
}

/*
 * Room for what len bytes are in UTF-8, and a NUL byte.  It may be much more
 * than a datum can hold; what counts is how much is used in the end.
 */
static char *
alloc_output(const Charset *cs, uint32 len, int growth)
{
	if (len > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("text in character set \"%s\" is too large",
						cs->name)));
	return palloc_extended((Size) len * growth + 1, MCXT_ALLOC_HUGE);
}

static inline char *
put_utf8(char *out, uint32 c)
{
	if (c < 0x80)
		*out++ = c;
	else if (c < 0x800)
	{
		*out++ = 0xC0 | (c >> 6);
		*out++ = 0x80 | (c & 0x3F);
	}
	else if (c < 0x10000)
	{
		*out++ = 0xE0 | (c >> 12);
		*out++ = 0x80 | ((c >> 6) & 0x3F);
		*out++ = 0x80 | (c & 0x3F);
	}
	else
	{
		*out++ = 0xF0 | (c >> 18);
		*out++ = 0x80 | ((c >> 12) & 0x3F);
		*out++ = 0x80 | ((c >> 6) & 0x3F);
		*out++ = 0x80 | (c & 0x3F);
	}
	return out;
}

/* A character that the server's encoding lacks. */
static void
untranslatable_character(const Charset *cs, const char *utf8, bool *replaced)
{
	if (replaced == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("character U+%04X of text in character set \"%s\" has no equivalent in the server's encoding \"%s\"",
						utf8_to_unicode((const unsigned char *) utf8),
						cs->name, GetDatabaseEncodingName()),
				 errhint("Set the option untranslatable to replace, make the target column bytea, or use a database with the encoding UTF8.")));
	*replaced = true;
}

/*
 * From valid UTF-8 to the server's encoding.  A conversion ends where there is
 * something that it cannot convert, and at a NUL byte.
 */
static const char *
utf8_to_server(const Charset *cs, const char *utf8, uint64 len,
			   uint32 *outlen, bool *replaced)
{
	StringInfoData buf;
	uint64		done = 0;

	if (len > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("text in character set \"%s\" is too large",
						cs->name),
				 errdetail("In the server's encoding it has " UINT64_FORMAT " bytes or more.",
						   len)));
	*outlen = len;
	if (GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII)
		return utf8;

	initStringInfo(&buf);
	while (done < len)
	{
		const char *nul = memchr(utf8 + done, 0, len - done);
		int			part = Min((nul ? (uint64) (nul - utf8) : len) - done, MAX_PART);
		int			converted;

		/* whole characters only */
		if (part == MAX_PART)
			part = pg_encoding_mbcliplen(PG_UTF8, utf8 + done, part, part);
		if (part == 0)
		{
			appendStringInfoChar(&buf, '\0');
			done++;
			continue;
		}
		enlargeStringInfo(&buf, (part + 1) * MAX_GROWTH);
		converted =
			pg_do_encoding_conversion_buf(to_server,
										  PG_UTF8, GetDatabaseEncoding(),
										  (unsigned char *) utf8 + done, part,
										  (unsigned char *) buf.data + buf.len,
										  (part + 1) * MAX_GROWTH, true);
		buf.len += strlen(buf.data + buf.len);
		done += converted;
		if (converted < part)
		{
			untranslatable_character(cs, utf8 + done, replaced);
			appendStringInfoChar(&buf, '?');
			done += pg_utf_mblen((const unsigned char *) utf8 + done);
		}
	}
	*outlen = buf.len;
	return buf.data;
}

/*
 * Check text that claims an encoding of PostgreSQL's.  NUL bytes are let
 * through, which PostgreSQL's own check refuses.  The text comes back as it
 * is, or with its invalid bytes replaced.
 */
static const char *
verify(const Charset *cs, int encoding, const char *data, uint32 len,
	   uint32 *outlen, bool *replaced)
{
	bool		is_utf8 = encoding == PG_UTF8;
	char	   *result = NULL;
	char	   *out = NULL;
	uint32		start = 0;		/* of what is not in result yet */
	uint32		done = 0;

	while (done < len)
	{
		int			part = Min(len - done, PG_INT32_MAX);
		int			valid = pg_encoding_verifymbstr(encoding, data + done,
													part);
		uint32		skip = 1;

		done += valid;
		if (valid == part)
			continue;
		if (data[done] == '\0')
		{
			done++;
			continue;
		}
		not_a_character(cs, data + done, len - done, replaced);
		/* half of a surrogate pair has three bytes */
		if (is_utf8 && (uint8) data[done] == 0xED && len - done >= 3 &&
			((uint8) data[done + 1] & 0xE0) == 0xA0 &&
			((uint8) data[done + 2] & 0xC0) == 0x80)
			skip = 3;
		if (result == NULL)
			out = result = alloc_output(cs, len, 3);
		memcpy(out, data + start, done - start);
		out += done - start;
		if (is_utf8)
			out = put_utf8(out, REPLACEMENT_CHARACTER);
		else
			*out++ = '?';
		start = done += skip;
	}
	*outlen = len;
	if (result == NULL)
		return data;
	memcpy(out, data + start, len - start);
	*outlen = out - result + len - start;
	return result;
}

static const char *
transcode_utf8(const void *arg, const char *data, uint32 len, uint32 *outlen,
			   bool *replaced)
{
	*outlen = len;
	if (is_ascii(data, len))
		return data;
	data = verify(arg, PG_UTF8, data, len, outlen, replaced);
	return utf8_to_server(arg, data, *outlen, outlen, replaced);
}

/* Text of no declared character set is taken for the server's. */
static const char *
transcode_binary(const void *arg, const char *data, uint32 len,
				 uint32 *outlen, bool *replaced)
{
	*outlen = len;
	if (is_ascii(data, len))
		return data;
	return verify(arg, GetDatabaseEncoding(), data, len, outlen, replaced);
}

/* An 8-bit set; ascii has no upper half. */
static const char *
transcode_8bit(const void *arg, const char *data, uint32 len, uint32 *outlen,
			   bool *replaced)
{
	const Charset *cs = arg;
	const uint8 *p = (const uint8 *) data;
	const uint8 *end = p + len;
	char	   *result;
	char	   *out;

	*outlen = len;
	if (is_ascii(data, len))
		return data;
	/* all are in the Basic Multilingual Plane: three bytes at most */
	out = result = alloc_output(cs, len, 3);
	for (; p < end; p++)
	{
		uint16		c = *p;

		if (c < 0x80)
		{
			*out++ = c;
			continue;
		}
		c = cs->high ? cs->high[c - 0x80] : 0;
		if (c == 0)
		{
			not_a_character(cs, (const char *) p, end - p, replaced);
			c = REPLACEMENT_CHARACTER;
		}
		out = put_utf8(out, c);
	}
	return utf8_to_server(cs, result, out - result, outlen, replaced);
}

/* swe7, which has Swedish letters in place of some of ASCII's characters */
static const char *
transcode_swe7(const void *arg, const char *data, uint32 len, uint32 *outlen,
			   bool *replaced)
{
	static const struct
	{
		char		code;
		uint16		unicode;
	}			letters[] = {
		{'@', 0x00C9}, {'[', 0x00C4}, {'\\', 0x00D6}, {']', 0x00C5},
		{'^', 0x00DC}, {'`', 0x00E9}, {'{', 0x00E4}, {'|', 0x00F6},
		{'}', 0x00E5}, {'~', 0x00FC}
	};
	char	   *result = alloc_output(arg, len, 3);
	char	   *out = result;

	for (uint32 i = 0; i < len; i++)
	{
		uint32		c = (uint8) data[i];

		for (Size n = 0; n < lengthof(letters); n++)
			if (letters[n].code == data[i])
				c = letters[n].unicode;
		if (IS_HIGHBIT_SET(data[i]))
		{
			not_a_character(arg, data + i, len - i, replaced);
			c = REPLACEMENT_CHARACTER;
		}
		out = put_utf8(out, c);
	}
	return utf8_to_server(arg, result, out - result, outlen, replaced);
}

/*
 * UCS-2, UTF-16 and UTF-32.  ucs2 knows no surrogate pairs: half of one is no
 * character there.
 */
static inline uint32
utf16_unit(const uint8 *p, bool little_endian)
{
	return little_endian ? p[0] | p[1] << 8 : p[0] << 8 | p[1];
}

static const char *
decode_utf16(const Charset *cs, const char *data, uint32 len,
			 bool little_endian, bool pairs, uint32 *outlen,
			 bool *replaced)
{
	const uint8 *p = (const uint8 *) data;
	const uint8 *end = p + len;
	char	   *result = alloc_output(cs, len, 3);
	char	   *out = result;

	while (p < end)
	{
		int			size = Min(2, end - p);
		uint32		c = size < 2 ? 0xD800 : utf16_unit(p, little_endian);

		if (c >= 0xD800 && c <= 0xDFFF)
		{
			uint32		low = pairs && c < 0xDC00 && end - p >= 4 ?
			utf16_unit(p + 2, little_endian) : 0;

			if (low >= 0xDC00 && low <= 0xDFFF)
			{
				c = 0x10000 + ((c & 0x3FF) << 10) + (low & 0x3FF);
				size = 4;
			}
			else
			{
				not_a_character(cs, (const char *) p, end - p, replaced);
				c = REPLACEMENT_CHARACTER;
			}
		}
		out = put_utf8(out, c);
		p += size;
	}
	return utf8_to_server(cs, result, out - result, outlen, replaced);
}

static const char *
transcode_ucs2(const void *arg, const char *data, uint32 len, uint32 *outlen,
			   bool *replaced)
{
	return decode_utf16(arg, data, len, false, false, outlen, replaced);
}

static const char *
transcode_utf16(const void *arg, const char *data, uint32 len,
				uint32 *outlen, bool *replaced)
{
	return decode_utf16(arg, data, len, false, true, outlen, replaced);
}

static const char *
transcode_utf16le(const void *arg, const char *data, uint32 len,
				  uint32 *outlen, bool *replaced)
{
	return decode_utf16(arg, data, len, true, true, outlen, replaced);
}

static const char *
transcode_utf32(const void *arg, const char *data, uint32 len,
				uint32 *outlen, bool *replaced)
{
	const uint8 *p = (const uint8 *) data;
	const uint8 *end = p + len;
	char	   *result = alloc_output(arg, len, 3);
	char	   *out = result;

	while (p < end)
	{
		int			size = Min(4, end - p);
		uint32		c = PG_UINT32_MAX;

		if (size == 4)
			c = (uint32) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
		if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
		{
			not_a_character(arg, (const char *) p, end - p, replaced);
			c = REPLACEMENT_CHARACTER;
		}
		out = put_utf8(out, c);
		p += size;
	}
	return utf8_to_server(arg, result, out - result, outlen, replaced);
}

/*
 * What MariaDB reads where PostgreSQL reads something else or nothing, or 0.
 * code is the character's bytes as a big-endian number.
 *
 * The user-defined rows of cp932 and of the two EUC-JP are U+E000 to U+E757.
 */
static uint32
exceptional_char(const Charset *cs, uint32 code)
{
	uint32		row = (code >> 8) & 0xFF;
	uint32		cell = code & 0xFF;

	if (cs->exceptions)
	{
		for (const Exception *e = cs->exceptions; e->code != 0; e++)
			if (e->code == code)
				return e->unicode;
	}
	if (!cs->has_private)
		return 0;
	if (cs->encoding == PG_SJIS)
	{
		if (row < 0xF0 || row > 0xF9 || cell < 0x40 || cell == 0x7F ||
			cell > 0xFC)
			return 0;
		return 0xE000 + (row - 0xF0) * 188 + cell - (cell > 0x7F ? 0x41 : 0x40);
	}
	if (row < 0xF5 || row > 0xFE || cell < 0xA1 || cell > 0xFE ||
		(code >> 16 != 0 && code >> 16 != 0x8F))
		return 0;
	return (code >> 16 == 0x8F ? 0xE3AC : 0xE000) + (row - 0xF5) * 94 +
		cell - 0xA1;
}

/*
 * Let PostgreSQL convert text without NUL bytes; returns the output's end.
 */
static char *
convert_part(const Charset *cs, const char *data, uint32 len, char *out,
			 bool *replaced)
{
	if (len > PG_INT32_MAX / MAX_GROWTH)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("text in character set \"%s\" is too large",
						cs->name)));
	while (len > 0)
	{
		uint32		done;

		done = DatumGetInt32(FunctionCall6(cs->conversion,
										   Int32GetDatum(cs->encoding),
										   Int32GetDatum(PG_UTF8),
										   CStringGetDatum(data),
										   CStringGetDatum(out),
										   Int32GetDatum(len),
										   BoolGetDatum(true)));
		out += strlen(out);
		data += done;
		len -= done;
		if (len > 0)
		{
			/* a lead byte may be alone, so only it is passed over */
			not_a_character(cs, data, len, replaced);
			out = put_utf8(out, REPLACEMENT_CHARACTER);
			data++;
			len--;
		}
	}
	return out;
}

static const char *
transcode_multibyte(const void *arg, const char *data, uint32 len,
					uint32 *outlen, bool *replaced)
{
	const Charset *cs = arg;
	const char *end = data + len;
	const char *part = data;	/* what is not converted yet */
	const char *p = data;
	bool		walk = cs->exceptions != NULL || cs->has_private;
	char	   *result;
	char	   *out;

	*outlen = len;
	if (is_ascii(data, len))
		return data;
	out = result = alloc_output(cs, len, MAX_GROWTH);
	while (p < end)
	{
		uint32		special = 0;
		int			size = 1;

		if (!walk)
		{
			p = memchr(p, 0, end - p);
			if (p == NULL)
				break;
		}
		else if (IS_HIGHBIT_SET(*p))
		{
			uint32		code = 0;

			size = pg_encoding_mblen(cs->encoding, p);
			if (size > end - p)
				break;
			for (int i = 0; i < size; i++)
				code = code << 8 | (uint8) p[i];
			special = exceptional_char(cs, code);
		}
		if (special != 0 || *p == '\0')
		{
			out = convert_part(cs, part, p - part, out, replaced);
			out = put_utf8(out, special);
			part = p + size;
		}
		p += size;
	}
	out = convert_part(cs, part, end - part, out, replaced);
	return utf8_to_server(cs, result, out - result, outlen, replaced);
}

#define MULTIBYTE(name, encoding, exceptions, has_private) \
	{name, transcode_multibyte, NULL, encoding, exceptions, has_private, NULL}
#define EIGHT_BIT(name, high) \
	{name, transcode_8bit, high, 0, NULL, false, NULL}
#define UNICODE(name, transcode) \
	{name, transcode, NULL, 0, NULL, false, NULL}

static Charset charsets[] = {
	UNICODE("utf8mb4", transcode_utf8),
	UNICODE("utf8mb3", transcode_utf8),
	UNICODE("utf8", transcode_utf8),
	EIGHT_BIT("ascii", NULL),
	UNICODE("binary", transcode_binary),
	UNICODE("ucs2", transcode_ucs2),
	UNICODE("utf16", transcode_utf16),
	UNICODE("utf16le", transcode_utf16le),
	UNICODE("utf32", transcode_utf32),
	UNICODE("swe7", transcode_swe7),
	EIGHT_BIT("latin1", latin1_high),
	EIGHT_BIT("latin2", latin2_high),
	EIGHT_BIT("latin5", latin5_high),
	EIGHT_BIT("latin7", latin7_high),
	EIGHT_BIT("cp850", cp850_high),
	EIGHT_BIT("cp852", cp852_high),
	EIGHT_BIT("cp866", cp866_high),
	EIGHT_BIT("cp1250", cp1250_high),
	EIGHT_BIT("cp1251", cp1251_high),
	EIGHT_BIT("cp1256", cp1256_high),
	EIGHT_BIT("cp1257", cp1257_high),
	EIGHT_BIT("koi8r", koi8r_high),
	EIGHT_BIT("koi8u", koi8u_high),
	EIGHT_BIT("greek", greek_high),
	EIGHT_BIT("hebrew", hebrew_high),
	EIGHT_BIT("tis620", tis620_high),
	EIGHT_BIT("armscii8", armscii8_high),
	EIGHT_BIT("geostd8", geostd8_high),
	EIGHT_BIT("keybcs2", keybcs2_high),
	EIGHT_BIT("macce", macce_high),
	EIGHT_BIT("macroman", macroman_high),
	EIGHT_BIT("dec8", dec8_high),
	EIGHT_BIT("hp8", hp8_high),
	MULTIBYTE("sjis", PG_SJIS, sjis_exceptions, false),
	MULTIBYTE("cp932", PG_SJIS, NULL, true),
	MULTIBYTE("ujis", PG_EUC_JP, ujis_exceptions, true),
	MULTIBYTE("eucjpms", PG_EUC_JP, eucjpms_exceptions, true),
	MULTIBYTE("gbk", PG_GBK, NULL, false),
	MULTIBYTE("gb2312", PG_EUC_CN, NULL, false),
	MULTIBYTE("big5", PG_BIG5, NULL, false),
	/* MariaDB's euckr has the characters of its Windows extension */
	MULTIBYTE("euckr", PG_UHC, NULL, false),
};

/* The conversion from UTF-8 to the server's encoding, where one is needed. */
static bool
find_conversion_to_server(void)
{
	if (GetDatabaseEncoding() == PG_UTF8 ||
		GetDatabaseEncoding() == PG_SQL_ASCII || OidIsValid(to_server))
		return true;
	to_server = FindDefaultConversionProc(PG_UTF8, GetDatabaseEncoding());
	return OidIsValid(to_server);
}

/*
 * Find the transcoder of a MariaDB character set.  Returns false for a set
 * that we do not know; transcode and arg are valid for the process' life.
 *
 * Needs a transaction: PostgreSQL's conversions are found in the catalogs.
 */
bool
ms_charset_bind(const char *charset, MsTranscodeFn *transcode,
				const void **arg)
{
	for (Size i = 0; i < lengthof(charsets); i++)
	{
		Charset    *cs = &charsets[i];

		if (pg_strcasecmp(cs->name, charset) != 0)
			continue;
		if (cs->transcode == transcode_multibyte && cs->conversion == NULL)
		{
			Oid			proc = FindDefaultConversionProc(cs->encoding, PG_UTF8);
			FmgrInfo   *conversion;

			if (!OidIsValid(proc))
				return false;
			conversion = MemoryContextAlloc(TopMemoryContext,
											sizeof(FmgrInfo));
			fmgr_info_cxt(proc, conversion, TopMemoryContext);
			cs->conversion = conversion;
		}
		if (!find_conversion_to_server())
			return false;
		*transcode = cs->transcode;
		*arg = cs;
		return true;
	}
	return false;
}
