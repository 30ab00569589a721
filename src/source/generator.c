/* Generated tweets as a file, and as the bytes of a JSON Lines corpus that nobody has to store. */
#include "source/generator.h"

#include "base/memory.h"
#include "io/publish.h"
#include "source/corpus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct dn_generator {
    dn_tweets *tweets;
    int64_t next, n_rows;
    char *line; /**< made, given out up to `given` */
    size_t size, given;
};

uint32_t dn_bad_ppm(double share) {
    return (uint32_t)(share * 1e6 + 0.5);
}

dn_generator *dn_generator_new(int64_t n_rows, uint64_t seed, double bad_share) {
    dn_generator *generator = dn_alloc(sizeof *generator);
    generator->tweets = dn_tweets_new(seed, dn_bad_ppm(bad_share));
    generator->n_rows = n_rows;
    generator->line = dn_alloc(DN_TWEET_OVERSIZE);
    return generator;
}

void dn_generator_free(dn_generator *generator) {
    if (generator) {
        dn_tweets_free(generator->tweets);
        free(generator->line);
        free(generator);
    }
}

size_t dn_generator_pull(void *ctx, char *out, size_t size) {
    dn_generator *generator = ctx;
    dn_tweet_truth truth;
    size_t given = 0;
    while (given < size) {
        if (generator->given == generator->size) {
            if (generator->next == generator->n_rows) {
                break;
            }
            generator->size =
                dn_tweet_line(generator->tweets, generator->next++, generator->line, &truth);
            generator->given = 0;
        }
        size_t left = generator->size - generator->given;
        size_t n = left < size - given ? left : size - given;
        memcpy(out + given, generator->line + generator->given, n);
        generator->given += n;
        given += n;
    }
    return given;
}

/** A file that appears whole under its name or not at all. */
typedef struct output {
    const char *path;
    char *part;
    FILE *file;
} output;

static dn_status output_open(output *out, const char *path) {
    *out = (output){.path = path, .part = dn_format("%s.part", path)};
    out->file = fopen(out->part, "wb");
    return out->file ? DN_OK
                     : DN_FAIL(CANT_CREATE, "%s: cannot be made: %s", out->part, strerror(errno));
}

static dn_status write_failed(const output *out) {
    return errno == ENOSPC ? DN_FAIL(NO_SPACE, "%s: the disk is full", out->part)
                           : DN_FAIL(IO, "%s: cannot be written: %s", out->part, strerror(errno));
}

/** Publishes when all went well so far, else removes what there is. */
static dn_status output_close(output *out, dn_status status) {
    if (out->file && fclose(out->file) != 0 && status == DN_OK) {
        status = write_failed(out);
    }
    if (status == DN_OK) {
        status = dn_publish_replace(out->part, out->path);
    } else if (out->file) {
        unlink(out->part);
    }
    free(out->part);
    return status;
}

static bool write_truth(FILE *file, int64_t n, const dn_tweet_truth *truth) {
    char of[24] = "null", reason[32] = "null";
    if (truth->of >= 0) {
        snprintf(of, sizeof of, "%" PRId64, truth->of);
    }
    if (truth->reason) {
        snprintf(reason, sizeof reason, "\"%s\"", truth->reason);
    }
    return fprintf(file,
                   "{\"id\":%" PRId64 ",\"kind\":\"%s\",\"of\":%s,\"lang\":\"%s\",\"reason\":%s}\n",
                   n, dn_tweet_kind_names[truth->kind], of, truth->language, reason) > 0;
}

static dn_status write_rows(const dn_generate_options *options, const output *rows,
                            const output *truths) {
    dn_status status = DN_OK;
    dn_tweets *tweets = dn_tweets_new(options->seed, dn_bad_ppm(options->bad_share));
    char *line = dn_alloc(DN_TWEET_OVERSIZE);
    for (int64_t n = 0; n < options->n_rows && status == DN_OK; n++) {
        dn_tweet_truth truth;
        size_t size = dn_tweet_line(tweets, n, line, &truth);
        if (fwrite(line, 1, size, rows->file) != size) {
            status = write_failed(rows);
        } else if (truths && !write_truth(truths->file, n, &truth)) {
            status = write_failed(truths);
        }
    }
    free(line);
    dn_tweets_free(tweets);
    return status;
}

dn_status dn_generate(const char *path, const dn_generate_options *options) {
    output rows, truths;
    dn_status status = output_open(&rows, path);
    if (options->truth && status == DN_OK) {
        status = output_open(&truths, options->truth);
        status = status == DN_OK ? write_rows(options, &rows, &truths) : status;
        status = output_close(&truths, status);
    } else if (status == DN_OK) {
        status = write_rows(options, &rows, NULL);
    }
    return output_close(&rows, status);
}
