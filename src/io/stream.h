#ifndef DN_IO_STREAM_H
#define DN_IO_STREAM_H
/** A file read from its beginning, decompressed on the way: plain, gzip, zstd and xz, told apart by
 * their first bytes.
 *
 * Several members (gzip, xz) or frames (zstd) one after the other are one stream. Memory is bounded
 * whatever the size: 128 KiB of compressed input and the window of the codec (at most 128 MiB;
 * larger ones are refused). */
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct dn_stream dn_stream;

/** Opens a file. NO_INPUT when it is missing, a folder, or cannot be read.
 *  ownership  gives `*stream`, dn_stream_close()     thread  one at a time */
dn_status dn_stream_open(const char *path, dn_stream **stream);

/** Reads up to `size` bytes; `*got` is 0 only at the end. What could be decoded before a damaged or
 * missing part is given out first, then the call fails: DATA with the file and both byte positions.
 *  errors  DATA, IO      blocks  on the disk */
dn_status dn_stream_read(dn_stream *stream, void *out, size_t size, size_t *got);

/** "plain", "gzip", "zstd" or "xz". */
const char *dn_stream_codec(const dn_stream *stream);

/** Bytes of the file consumed so far and in all, for progress; `*total` is 0 where it cannot be
 * known (a pipe). */
void dn_stream_progress(const dn_stream *stream, uint64_t *done, uint64_t *total);

/** NULL is allowed. */
void dn_stream_close(dn_stream *stream);

#endif
