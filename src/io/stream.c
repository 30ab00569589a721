#include "io/stream.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { IN_BYTES = 128 << 10 };
#define WINDOW_MAX (UINT64_C(128) << 20)

/** What a codec did with the input it was shown. */
typedef enum step {
    STEP_ON,      /**< go on: more output is wanted or more input is needed */
    STEP_MEMBER,  /**< a member or frame is complete: the file may end here */
    STEP_DAMAGED, /**< `why` says what */
} step;

typedef struct codec {
    const char *name;
    const char *magic;
    size_t magic_size;
    dn_status (*open)(dn_stream *stream);
    step (*run)(dn_stream *stream, unsigned char *out, size_t size, size_t *made);
    void (*close)(dn_stream *stream);
} codec;

struct dn_stream {
    char *path;
    int fd;
    const codec *codec;
    union {
        z_stream gzip;
        ZSTD_DStream *zstd;
        lzma_stream xz;
    } state;
    unsigned char *in;
    size_t in_begin, in_end;
    uint64_t file_bytes; /**< read from the file */
    uint64_t file_size;
    uint64_t out_bytes; /**< given out */
    bool in_ended;
    bool whole;  /**< the file may end here */
    bool broken; /**< damage was found; what came before it has been given out */
    const char *why;
};

static dn_status gzip_open(dn_stream *stream) {
    enum { GZIP_ONLY = 16 };
    if (inflateInit2(&stream->state.gzip, MAX_WBITS + GZIP_ONLY) != Z_OK) {
        return DN_FAIL(MEMORY, "%s: zlib could not start", stream->path);
    }
    return DN_OK;
}

static step gzip_run(dn_stream *stream, unsigned char *out, size_t size, size_t *made) {
    z_stream *z = &stream->state.gzip;
    if (stream->whole && inflateReset(z) != Z_OK) {
        stream->why = "zlib could not start again";
        return STEP_DAMAGED;
    }
    z->next_in = stream->in + stream->in_begin;
    z->avail_in = (uInt)(stream->in_end - stream->in_begin);
    z->next_out = out;
    z->avail_out = (uInt)(size < UINT32_MAX ? size : UINT32_MAX);
    size_t room = z->avail_out;
    int rc = inflate(z, Z_NO_FLUSH);
    stream->in_begin = stream->in_end - z->avail_in;
    *made = room - z->avail_out;
    if (rc == Z_OK || rc == Z_BUF_ERROR) {
        return STEP_ON;
    }
    stream->why = z->msg ? z->msg : "not gzip data";
    return rc == Z_STREAM_END ? STEP_MEMBER : STEP_DAMAGED;
}

static void gzip_close(dn_stream *stream) {
    inflateEnd(&stream->state.gzip);
}

static dn_status zstd_open(dn_stream *stream) {
    stream->state.zstd = ZSTD_createDStream();
    if (!stream->state.zstd) {
        return DN_FAIL(MEMORY, "%s: zstd could not start", stream->path);
    }
    return DN_OK;
}

static step zstd_run(dn_stream *stream, unsigned char *out, size_t size, size_t *made) {
    ZSTD_inBuffer in = {stream->in, stream->in_end, stream->in_begin};
    ZSTD_outBuffer to = {out, size, 0};
    size_t rc = ZSTD_decompressStream(stream->state.zstd, &to, &in);
    stream->in_begin = in.pos;
    *made = to.pos;
    if (ZSTD_isError(rc)) {
        stream->why = ZSTD_getErrorName(rc);
        return STEP_DAMAGED;
    }
    return rc == 0 ? STEP_MEMBER : STEP_ON;
}

static void zstd_close(dn_stream *stream) {
    ZSTD_freeDStream(stream->state.zstd);
}

static dn_status xz_open(dn_stream *stream) {
    stream->state.xz = (lzma_stream)LZMA_STREAM_INIT;
    if (lzma_stream_decoder(&stream->state.xz, WINDOW_MAX, LZMA_CONCATENATED) != LZMA_OK) {
        return DN_FAIL(MEMORY, "%s: liblzma could not start", stream->path);
    }
    return DN_OK;
}

static const char *xz_why(lzma_ret rc) {
    switch (rc) {
    case LZMA_FORMAT_ERROR:
        return "not xz data";
    case LZMA_MEMLIMIT_ERROR:
        return "its dictionary is over 128 MiB: compress it again with a lower level";
    case LZMA_OPTIONS_ERROR:
        return "made with options this liblzma does not know";
    default:
        return "corrupt xz data";
    }
}

/** With LZMA_CONCATENATED the decoder knows the end of the last member only when it is told that
 * the input has ended. */
static step xz_run(dn_stream *stream, unsigned char *out, size_t size, size_t *made) {
    lzma_stream *xz = &stream->state.xz;
    xz->next_in = stream->in + stream->in_begin;
    xz->avail_in = stream->in_end - stream->in_begin;
    xz->next_out = out;
    xz->avail_out = size;
    lzma_ret rc = lzma_code(xz, stream->in_ended ? LZMA_FINISH : LZMA_RUN);
    stream->in_begin = stream->in_end - xz->avail_in;
    *made = size - xz->avail_out;
    if (rc == LZMA_OK || rc == LZMA_BUF_ERROR) {
        return STEP_ON;
    }
    stream->why = xz_why(rc);
    return rc == LZMA_STREAM_END ? STEP_MEMBER : STEP_DAMAGED;
}

static void xz_close(dn_stream *stream) {
    lzma_end(&stream->state.xz);
}

static const codec plain = {.name = "plain"};

static const codec codecs[] = {
    {"gzip", "\x1f\x8b", 2, gzip_open, gzip_run, gzip_close},
    {"zstd", "\x28\xb5\x2f\xfd", 4, zstd_open, zstd_run, zstd_close},
    {"xz",
     "\xfd"
     "7zXZ\0",
     6, xz_open, xz_run, xz_close},
};

static const codec *codec_of(const unsigned char *head, size_t size) {
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++) {
        if (size >= codecs[i].magic_size && !memcmp(head, codecs[i].magic, codecs[i].magic_size)) {
            return &codecs[i];
        }
    }
    return &plain;
}

static dn_status read_file(dn_stream *stream, void *out, size_t size, size_t *got) {
    ssize_t n;
    do {
        n = read(stream->fd, out, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return DN_FAIL(IO, "%s: cannot read at byte %llu: %s", stream->path,
                       (unsigned long long)stream->file_bytes, strerror(errno));
    }
    stream->file_bytes += (uint64_t)n;
    *got = (size_t)n;
    return DN_OK;
}

/** Fills the input buffer; called when it is empty. */
static dn_status refill(dn_stream *stream) {
    size_t got = 0;
    stream->in_begin = stream->in_end = 0;
    DN_TRY(read_file(stream, stream->in, IN_BYTES, &got));
    stream->in_end = got;
    stream->in_ended = got == 0;
    return DN_OK;
}

/** Opens the file and remembers its size. */
static dn_status open_file(dn_stream *stream) {
    struct stat about;
    stream->fd = open(stream->path, O_RDONLY | O_CLOEXEC);
    if (stream->fd < 0 || fstat(stream->fd, &about) != 0) {
        return DN_FAIL(NO_INPUT, "%s: cannot be opened: %s", stream->path, strerror(errno));
    }
    if (S_ISDIR(about.st_mode)) {
        return DN_FAIL(NO_INPUT, "%s: is a folder, a file is wanted", stream->path);
    }
    stream->file_size = S_ISREG(about.st_mode) ? (uint64_t)about.st_size : 0;
    return DN_OK;
}

dn_status dn_stream_open(const char *path, dn_stream **stream) {
    enum { MAGIC_MAX = 6 };
    dn_status status;
    dn_stream *s = dn_alloc(sizeof *s);
    s->path = dn_strdup(path);
    s->in = dn_alloc(IN_BYTES);
    s->codec = &plain;
    DN_TRY_GO(open_file(s), err_close);
    while (s->in_end < MAGIC_MAX && !s->in_ended) {
        size_t got = 0;
        DN_TRY_GO(read_file(s, s->in + s->in_end, IN_BYTES - s->in_end, &got), err_close);
        s->in_end += got;
        s->in_ended = got == 0;
    }
    const codec *found = codec_of(s->in, s->in_end);
    if (found->open) {
        DN_TRY_GO(found->open(s), err_close);
    }
    s->codec = found;
    *stream = s;
    return DN_OK;
err_close:
    dn_stream_close(s);
    return status;
}

static dn_status read_plain(dn_stream *stream, void *out, size_t size, size_t *got) {
    size_t held = stream->in_end - stream->in_begin;
    if (held == 0) {
        return stream->in_ended ? (*got = 0, DN_OK) : read_file(stream, out, size, got);
    }
    *got = held < size ? held : size;
    memcpy(out, stream->in + stream->in_begin, *got);
    stream->in_begin += *got;
    return DN_OK;
}

static dn_status damaged(const dn_stream *stream) {
    return DN_FAIL(DATA, "%s: %s at byte %llu of the %s file, after %llu decoded bytes",
                   stream->path, stream->why,
                   (unsigned long long)(stream->file_bytes - (stream->in_end - stream->in_begin)),
                   stream->codec->name, (unsigned long long)stream->out_bytes);
}

static dn_status read_decoded(dn_stream *stream, unsigned char *out, size_t size, size_t *got) {
    *got = 0;
    while (*got == 0 && !stream->broken) {
        if (stream->in_begin == stream->in_end && !stream->in_ended) {
            DN_TRY(refill(stream));
        }
        bool drained = stream->in_begin == stream->in_end && stream->in_ended;
        if (drained && stream->whole) {
            return DN_OK;
        }
        step did = stream->codec->run(stream, out, size, got);
        stream->whole = did == STEP_MEMBER;
        if (did == STEP_ON && *got == 0 && drained) {
            stream->why = "cut off in the middle";
            did = STEP_DAMAGED;
        }
        stream->broken = did == STEP_DAMAGED;
    }
    return *got ? DN_OK : damaged(stream);
}

dn_status dn_stream_read(dn_stream *stream, void *out, size_t size, size_t *got) {
    DN_TRY(stream->codec->run ? read_decoded(stream, out, size, got)
                              : read_plain(stream, out, size, got));
    stream->out_bytes += *got;
    return DN_OK;
}

const char *dn_stream_codec(const dn_stream *stream) {
    return stream->codec->name;
}

void dn_stream_progress(const dn_stream *stream, uint64_t *done, uint64_t *total) {
    *done = stream->file_bytes - (stream->in_end - stream->in_begin);
    *total = stream->file_size;
}

void dn_stream_close(dn_stream *stream) {
    if (!stream) {
        return;
    }
    if (stream->codec->close) {
        stream->codec->close(stream);
    }
    if (stream->fd >= 0) {
        close(stream->fd);
    }
    free(stream->in);
    free(stream->path);
    free(stream);
}
